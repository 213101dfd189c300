import { type ConfigObject, parseTask, type Task } from "@parfocal/models";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { assertRecipeFits } from "./assert-recipe.ts";
import type { BagGroup } from "./bag-groups.ts";
import { createEpochOrder, mostBagsPerEpoch } from "./epoch-order.ts";
import type { LabelledBag } from "./job.ts";
import type { Label } from "./label.ts";
import { weightBytes } from "./testing/tiny-model.ts";
import { collect, openWorld, type World, writeCohort } from "./testing/world.ts";
import { train } from "./train.ts";
import { decisiveSpecJson, parseTrainSpec } from "./train-spec.ts";

const HEAD = { kind: "gated-abmil", hidden: [8], attentionWidth: 4 };
const BINARY = { kind: "binary", classes: ["no", "yes"] };
const DIGEST = { digest: "0", d: 8 } as unknown as LabelledBag["bag"];

function specOf(task: ConfigObject, change: ConfigObject = {}) {
  return parseTrainSpec({ model: { head: HEAD, task }, sampling: "balanced", ...change });
}

/** How often each label is taken in `nEpochs` epochs, by label. */
function drawn(json: ConfigObject, labels: readonly Label[], nEpochs: number): number[] {
  const task: Task = parseTask(json);
  const groups = { train: labels.map((_, row): BagGroup => [row]), validation: [], test: [] };
  const job = { bags: labels.map((label): LabelledBag => ({ bag: DIGEST, label })), spec: specOf(json) };
  const orderOf = createEpochOrder({ job, groups, spec: job.spec, model: { config: { task } } });
  const counts = labels.map(() => 0);
  for (let epoch = 1; epoch <= nEpochs; epoch++) {
    const order = orderOf(epoch);
    expect(order).toHaveLength(labels.length);
    for (const [row = -1] of order) counts[row] = (counts[row] ?? 0) + 1;
  }
  return counts;
}

describe("an epoch of balanced classes", () => {
  it("takes as many bags as there are, each class equally often and the bags of a class alike", () => {
    const labels = Array.from({ length: 20 }, (_, i) => Number(i < 2));
    const counts = drawn(BINARY, labels, 1000);
    const [rare, usual] = [counts.slice(0, 2), counts.slice(2)];
    // 20 000 draws: a rare bag is one in 4, another one in 36. Five standard deviations.
    for (const count of rare) expect(Math.abs(count - 5000)).toBeLessThan(5 * Math.sqrt(20_000 * 0.25 * 0.75));
    for (const count of usual) expect(Math.abs(count - 20_000 / 36)).toBeLessThan(5 * Math.sqrt(20_000 / 36));
  });

  it("takes those classes alone that occur", () => {
    const counts = drawn({ kind: "ordinal", classes: ["a", "b", "c"] }, [0, 0, 2, 2, 2, 0], 500);
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(3000);
    expect(Math.abs(counts[0]! + counts[1]! + counts[5]! - 1500)).toBeLessThan(5 * Math.sqrt(750));
  });

  it("has a class for every interval of survival, events and censored patients apart", () => {
    const at = (time: number, isEvent: boolean): Label => ({ time, isEvent });
    const labels = [at(1, true), at(1.5, true), at(2, true), at(4, true), at(1, false), at(6, false), at(99, false)];
    const counts = drawn({ kind: "survival", edges: [0, 3, 8] }, labels, 2000);
    // Early events (3 bags), a late event, one who left early, two who left late: 3 500 draws each.
    const classes = [counts.slice(0, 3), counts.slice(3, 4), counts.slice(4, 5), counts.slice(5)];
    for (const each of classes) {
      const sum = each.reduce((total, count) => total + count, 0);
      expect(Math.abs(sum - 3500)).toBeLessThan(5 * Math.sqrt(14_000 * 0.25 * 0.75));
    }
  });

  it("is another one in every epoch, the same by the same seed", () => {
    const labels = [0, 0, 0, 1, 1, 0, 0, 1];
    const once = drawn(BINARY, labels, 1);
    expect(drawn(BINARY, labels, 1)).toEqual(once);
    const twice = drawn(BINARY, labels, 2).map((count, i) => count - (once[i] ?? 0));
    expect(twice).not.toEqual(once);
  });

  it("may have more bags than the part, where groups have several", () => {
    const groups = { train: [[0], [1, 2, 3], [4]], validation: [], test: [] };
    const split = { train: [0, 1, 2, 3, 4], validation: [], test: [] } as unknown as Parameters<
      typeof mostBagsPerEpoch
    >[0]["split"];
    expect(mostBagsPerEpoch({ groups, split, spec: specOf(BINARY) })).toBe(9);
    expect(mostBagsPerEpoch({ groups, split, spec: specOf(BINARY, { sampling: "shuffle" }) })).toBe(5);
  });

  it.each([
    [{ kind: "multilabel", classes: ["a", "b"] }, "sampling is balanced; a multilabel task takes shuffle"],
    [{ kind: "regression", classes: ["age"] }, "sampling is balanced; a regression task takes shuffle"],
    [{ kind: "cox" }, "sampling is balanced; a cox task takes shuffle"],
  ])("is refused where a label is no one class: %j", (task, message) => {
    expect(() => assertRecipeFits(specOf(task), parseTask(task))).toThrow(message);
    expect(() => assertRecipeFits(specOf(task, { sampling: "shuffle" }), parseTask(task))).not.toThrow();
  });

  it("counts in the digest of a job where it is not the usual one, so that older checkpoints keep theirs", () => {
    expect(decisiveSpecJson(specOf(BINARY))).toMatchObject({ sampling: "balanced" });
    expect(decisiveSpecJson(specOf(BINARY, { sampling: "shuffle" }))).not.toHaveProperty("sampling");
  });

  it("is one of the two there are", () => {
    expect(parseTrainSpec({ model: {} }).sampling).toBe("shuffle");
    expect(() => parseTrainSpec({ model: {}, sampling: "weighted" })).toThrow("one of shuffle, balanced");
  });
});

describe("a training on balanced classes", () => {
  let world: World;
  let cohort: LabelledBag[];
  beforeAll(async () => {
    world = await openWorld();
    const bags = await writeCohort(world.store, { nBags: 40, d: 8, seed: 1n });
    // One positive bag in five.
    cohort = bags.filter(({ label }, i) => label === 0 || i % 8 === 1);
  });
  afterAll(() => world.close());

  const signal = new AbortController().signal;
  const RECIPES = {
    "one bag an update": {},
    "three bags an update": { batchSize: 3 },
    "specimens of several slides": { groups: { kind: "min-loss", negatives: "mean" } },
    "patients by the mean of their slides": { groups: { kind: "mean" }, batchSize: 2 },
    "joined slides": { groups: { kind: "joined" } },
  };

  it.each(Object.entries(RECIPES))("resumes to the same bits: %s", async (name, recipe) => {
    const optimiser = { kind: "radam", learningRate: 5e-3, lookahead: { steps: 4 } };
    const split = { validationFraction: 0.2, testFraction: 0 };
    const spec = specOf(BINARY, { epochs: 3, optimiser, split, selection: "last", ...recipe });
    // Two slides of every patient of a label.
    const bags = cohort.map((bag, i): LabelledBag => ({ ...bag, patient: `p${i >> 2}-${Number(bag.label)}` }));
    const whole = await collect(train({ spec, bags }, world.deps("whole"), signal));
    const job = { spec, bags, checkpointKey: `checkpoints/${name}` };
    for await (const event of train(job, world.deps("cut"), signal)) {
      if (event.kind === "checkpoint" && event.epoch === 1) break;
    }
    const { events, trained } = await collect(train(job, world.deps("cut"), signal));
    expect(events[0]).toMatchObject({ kind: "split", resumedFrom: 1 });
    expect(weightBytes(trained)).toEqual(weightBytes(whole.trained));
    expect(trained.history).toEqual(whole.trained.history);
    const fractions = whole.events.flatMap((event) => (event.kind === "progress" ? [event.fraction] : []));
    for (const fraction of fractions) expect(fraction).toBeLessThanOrEqual(1);
    const plain = { ...spec, sampling: "shuffle" } as const;
    const other = await collect(train({ spec: plain, bags }, world.deps("plain"), signal));
    expect(weightBytes(other.trained)).not.toEqual(weightBytes(trained));
  });
});
