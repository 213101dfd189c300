import { createMemoryStore } from "@parfocal/store";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { encodeCheckpoint, parseCheckpoint, readCheckpoint, writeCheckpoint } from "./checkpoint.ts";
import type { TrainingState } from "./training-state.ts";

const JOB = "a".repeat(64);
const vector = (minLength: number) =>
  fc.float32Array({ minLength, maxLength: 9 }).map((values) => Float32Array.from(values));

const state: fc.Arbitrary<TrainingState> = fc.record({
  epoch: fc.nat(),
  update: fc.nat(),
  weights: vector(1),
  fixed: vector(0),
  slots: fc.dictionary(fc.constantFrom("moment1", "moment2", "momentum"), vector(1), { noNullPrototype: true }),
  bestWeights: fc.option(vector(1)),
  selection: fc.record({
    bestValue: fc.option(fc.double({ noNaN: true, noDefaultInfinity: true })),
    bestEpoch: fc.nat(),
    bestLoss: fc.constant(null),
    nEpochsWithoutGain: fc.nat(),
  }),
  plateau: fc.record({
    best: fc.constant(null),
    nBadEpochs: fc.nat(),
    scale: fc.double({ min: 0, max: 1, noNaN: true }),
  }),
  history: fc.constant([]),
});

/** JSON has no minus zero; vectors have. */
function withoutMinusZero(value: TrainingState): TrainingState {
  const json = JSON.stringify({ selection: value.selection, plateau: value.plateau });
  return { ...value, ...(JSON.parse(json) as Pick<TrainingState, "selection" | "plateau">) };
}

describe("a checkpoint", () => {
  it("gives back every state bit for bit", () => {
    fc.assert(
      fc.property(state, (value) => {
        expect(parseCheckpoint(encodeCheckpoint(value, JOB), JOB)).toEqual(withoutMinusZero(value));
      }),
    );
  });

  it("is refused whole when a byte of it is missing, or when it is another job's", () => {
    const [value] = fc.sample(state, { numRuns: 1, seed: 1 });
    if (value === undefined) throw new Error("no sample");
    const bytes = encodeCheckpoint(value, JOB);
    expect(() => parseCheckpoint(bytes.subarray(0, -1), JOB)).toThrow(expect.objectContaining({ code: "TRUNCATED" }));
    expect(() => parseCheckpoint(bytes, "b".repeat(64))).toThrow(
      expect.objectContaining({ code: "PRECONDITION_FAILED" }),
    );
  });

  it("is found in the store, and nothing where there is none", async () => {
    const [value] = fc.sample(state, { numRuns: 1, seed: 2 });
    if (value === undefined) throw new Error("no sample");
    const store = createMemoryStore();
    expect(await readCheckpoint(store, "c", JOB)).toBeNull();
    await writeCheckpoint(store, "c", { state: value, jobDigest: JOB });
    expect(await readCheckpoint(store, "c", JOB)).toEqual(withoutMinusZero(value));
  });
});
