import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadModel } from "../package/load-model.ts";
import { writeRegionCohort } from "../testing/region-cohort.ts";
import { openWorld, type World } from "../testing/world.ts";
import { pretrain } from "./pretrain.ts";
import type { PretrainEvent, PretrainedMixer, PretrainJob, RegionBag } from "./pretrain-job.ts";
import { type PretrainSpec, parsePretrainSpec, pretrainSpecJson } from "./pretrain-spec.ts";
import { publishMixer } from "./publish-mixer.ts";

const SIGNAL = new AbortController().signal;
const MIXER = { regionTiles: 2, levelCount: 2, width: 16, depth: 1, heads: 2 };
const MASKED = { decoderWidth: 24, decoderHeads: 2, decoderDepth: 1 };
const CONTRASTIVE = { sourceTiles: 3, projectorWidth: 16, projectionWidth: 8 };

let world: World;
let cohort: RegionBag[];
/** Where tiles are missing: of every third cell a fine one, of every seventh all but the coarse one. */
let ragged: RegionBag[];

beforeAll(async () => {
  world = await openWorld();
  const sizes = { nSlides: 6, side: 5, levelCount: 2, d: 8, seed: 1n };
  const isMissing = (cell: number, slot: number) => (cell % 3 === 0 && slot === 2) || (cell % 7 === 6 && slot > 0);
  cohort = await writeRegionCohort(world.store, sizes);
  ragged = await writeRegionCohort(world.store, { ...sizes, isMissing });
});

afterAll(() => world.close());

function specOf(change: Record<string, unknown> = {}): PretrainSpec {
  const sizes = { batchRegions: 8, totalRegions: 160, checkpointUpdates: 4, validationFraction: 0.2 };
  return parsePretrainSpec({ mixer: MIXER, masked: MASKED, optimiser: { learningRate: 0.1 }, ...sizes, ...change });
}

function jobOf(spec: PretrainSpec, change: Partial<PretrainJob> = {}): PretrainJob {
  return { spec, bags: cohort, regionsPrefix: "derived", ...change };
}

/** Runs a pretraining to its end. */
async function collect(events: AsyncIterable<PretrainEvent>) {
  const all: PretrainEvent[] = [];
  for await (const event of events) all.push(event);
  const last = all.at(-1);
  if (last?.kind !== "done") throw new Error("the pretraining ended without a mixer");
  return { events: all, mixer: last.pretrained };
}

function run(spec: PretrainSpec, change: Partial<PretrainJob> = {}) {
  return collect(pretrain(jobOf(spec, change), world.deps(), SIGNAL));
}

/** All weights as bytes: equal means bit-identical. */
function bytesOf({ weights }: PretrainedMixer): Buffer {
  return Buffer.concat(Object.values(weights).map((values) => Buffer.from(values.buffer)));
}

/**
 * All weights but the biases of keys, queries and values: a key's bias moves every score of a query alike, so its gradient is
 * rounding alone, which Adam scales to whole steps.
 */
function valuesOf({ weights }: PretrainedMixer): number[] {
  return Object.entries(weights).flatMap(([name, values]) => (name.endsWith("qkv.bias") ? [] : [...values]));
}

describe("pretraining", () => {
  it("learns to predict removed tiles of regions that it never saw", async () => {
    const { events, mixer } = await run(specOf({ totalRegions: 800, checkpointUpdates: 20 }));
    expect(events[0]).toMatchObject({ kind: "regions", nTrain: 80, nValidation: 16, resumedFrom: 0 });
    const [first, last] = [mixer.history[0], mixer.history.at(-1)];
    expect(mixer.history).toHaveLength(100);
    expect(last?.loss).toBeLessThan((first?.loss ?? 0) - 0.3);
    expect(last?.levels.map(({ level }) => level)).toEqual([0, 1]);
    const measured = mixer.history.flatMap(({ validationLoss }) => validationLoss ?? []);
    expect(measured).toHaveLength(5);
    expect(measured.at(-1)).toBeLessThan(measured[0] ?? 0);
    expect(last).toMatchObject({ update: 100, nUpdates: 100, regionsSeen: 800, contrastiveLoss: null });
    expect(mixer.source).toMatchObject({ encoder: "planted" });
    expect(Object.keys(mixer.weights).every((name) => name.startsWith("reembed."))).toBe(true);
    expect(events.findLast((event) => event.kind === "report")).toMatchObject({ update: 100, etaS: 0 });
  });

  it("gives the same bits for the same seed and others for another", async () => {
    const [a, b, c] = [await run(specOf()), await run(specOf()), await run(specOf({ seed: 2 }))];
    expect(bytesOf(b.mixer)).toEqual(bytesOf(a.mixer));
    expect(b.mixer.history).toEqual(a.mixer.history);
    expect(bytesOf(c.mixer)).not.toEqual(bytesOf(a.mixer));
  });

  it.each([
    ["masked", {}],
    ["contrastive", { contrastive: CONTRASTIVE }],
    ["contrastive with branches that drop", { contrastive: CONTRASTIVE, mixer: { ...MIXER, dropPath: 0.3 } }],
  ])("moves by the gradient of the whole batch, however it is cut: %s", async (_name, objective) => {
    const spec = (micro: number) =>
      specOf({ ...objective, totalRegions: 24, warmupFraction: 0, optimiser: {}, microBatchRegions: micro });
    const [whole, cut] = [await run(spec(8)), await run(spec(2))];
    const [a, b] = [valuesOf(whole.mixer), valuesOf(cut.mixer)];
    for (const [i, value] of a.entries()) expect(b[i]).toBeCloseTo(value, 6);
    for (const [i, { loss }] of whole.mixer.history.entries()) expect(cut.mixer.history[i]?.loss).toBeCloseTo(loss, 5);
  });

  it("leaves branches out by the seed where it learns, and none where it measures", async () => {
    const dropping = (change = {}) => specOf({ mixer: { ...MIXER, layerScaleInit: 0.5, dropPath: 0.5 }, ...change });
    const [a, b] = [await run(dropping()), await run(dropping())];
    expect(bytesOf(b.mixer)).toEqual(bytesOf(a.mixer));
    // Steps too small to matter: only what is left out can tell the losses of the two apart.
    const still = { optimiser: { learningRate: 1e-12 } };
    const kept = { ...still, mixer: { ...MIXER, layerScaleInit: 0.5 } };
    const [some, all] = [(await run(dropping(still))).mixer.history, (await run(specOf(kept))).mixer.history];
    const measured = (history: typeof some) => history.flatMap(({ validationLoss }) => validationLoss ?? []);
    expect(measured(some)).toHaveLength(5);
    for (const [i, loss] of measured(all).entries()) expect(measured(some)[i]).toBeCloseTo(loss, 6);
    expect(some.every(({ loss }, i) => Math.abs(loss - (all[i]?.loss ?? 0)) > 1e-4)).toBe(true);
  });

  it("works on regions with missing tiles, and never sees those", async () => {
    const { mixer, events } = await run(specOf({ totalRegions: 400, minPresence: 0.5 }), { bags: ragged });
    expect(mixer.history.at(-1)?.loss).toBeLessThan(mixer.history[0]?.loss ?? 0);
    expect(events[0]).not.toMatchObject({ nTrain: 80 });
    const other = await writeRegionCohort(world.store, {
      ...{ nSlides: 6, side: 5, levelCount: 2, d: 8, seed: 1n },
      isMissing: (cell, slot) => slot > 0 && cell % 2 === 0,
    });
    const job = run(specOf({ minPresence: 0.9 }), { bags: other });
    await expect(job).rejects.toMatchObject({ code: "PRECONDITION_FAILED" });
  });

  it("takes a batch in which a magnification has nothing to predict", async () => {
    const masked = { ...MASKED, removalRatio: 0.05 };
    const { mixer } = await run(specOf({ masked, batchRegions: 1, totalRegions: 20 }));
    const ofCoarse = mixer.history.map(({ levels }) => levels[0]?.loss);
    expect(ofCoarse).toContain(null);
    expect(ofCoarse.some((loss) => typeof loss === "number")).toBe(true);
    expect(mixer.history.every(({ loss }) => Number.isFinite(loss))).toBe(true);
  });

  it("learns from some of the magnifications", async () => {
    const { mixer } = await run(specOf({ mixer: { ...MIXER, levels: [1] } }));
    expect(mixer.history.at(-1)?.levels.map(({ level }) => level)).toEqual([1]);
  });
});

describe("a pretrained mixer", () => {
  it("is published as a package that re-embeds, and once", async () => {
    const { mixer } = await run(specOf({ totalRegions: 16 }));
    const options = { codeVersion: "test" };
    const first = await publishMixer(world.store, "models/mixer", mixer, options);
    const again = await publishMixer(world.store, "models/mixer", mixer, options);
    expect(again.digest).toBe(first.digest);
    const loaded = await loadModel(world.store, "models/mixer", { digest: first.digest });
    expect(loaded).toMatchObject({ model: { hasHead: false, hasReembedder: true }, manifest: { history: [] } });
    expect(loaded.aggregate).toBeUndefined();
    expect(loaded.manifest.pretraining).toEqual({ nUpdates: 2, history: mixer.history });
    expect(loaded.manifest.spec).toEqual(pretrainSpecJson(mixer.spec));
    expect(await loaded.readWeights()).toEqual(mixer.weights);
  });
});

describe("contrastive pretraining", () => {
  it.each([false, true])("tells crops of one source from others, dropping the slide's own: %s", async (drop) => {
    const contrastive = { ...CONTRASTIVE, dropSameSlideNegatives: drop };
    const { mixer } = await run(specOf({ contrastive, totalRegions: 480, checkpointUpdates: 60 }), { bags: ragged });
    const [first, last] = [mixer.history[0], mixer.history.at(-1)];
    expect(last?.contrastiveLoss).toBeLessThan(first?.contrastiveLoss ?? 0);
    expect(last?.loss).toBeLessThan(first?.loss ?? 0);
    expect(Object.keys(mixer.weights).some((name) => name.startsWith("projector."))).toBe(false);
  });
});

describe("a pretraining that was cut off", () => {
  it.each([
    ["masked", {}],
    ["contrastive", { contrastive: CONTRASTIVE, microBatchRegions: 4 }],
  ])("five times anywhere ends with the same bits: %s", async (name, objective) => {
    const spec = specOf({ ...objective, totalRegions: 240 });
    const whole = await run(spec);
    const job = jobOf(spec, { checkpointKey: `checkpoints/cut-${name}` });
    const resumed: number[] = [];
    for (const stopAfter of [2, 1, 3, 0, 2]) {
      let nSeen = 0;
      const cancel = new AbortController();
      for await (const event of pretrain(job, world.deps(), cancel.signal)) {
        if (event.kind === "regions") resumed.push(event.resumedFrom);
        if (event.kind === "checkpoint" && nSeen++ === stopAfter) break;
        // Between two checkpoints: the updates since the last one are lost.
        if (event.kind === "report" && stopAfter === 0 && nSeen === 0) break;
      }
    }
    const { events, mixer } = await collect(pretrain(job, world.deps(), SIGNAL));
    expect(new Set(resumed).size).toBeGreaterThan(2);
    expect(events[0]).toMatchObject({ kind: "regions" });
    expect(bytesOf(mixer)).toEqual(bytesOf(whole.mixer));
    expect(mixer.history).toEqual(whole.mixer.history);
  });

  it("by its signal says so", async () => {
    const cancel = new AbortController();
    const cutOff = async () => {
      for await (const event of pretrain(jobOf(specOf()), world.deps(), cancel.signal)) {
        if (event.kind === "report") cancel.abort();
      }
    };
    await expect(cutOff()).rejects.toMatchObject({ code: "CANCELLED" });
    expect(world.engine.stats().residentTensors).toBe(0);
  });

  it("refuses the checkpoint of another job", async () => {
    const checkpointKey = "checkpoints/other";
    await run(specOf(), { checkpointKey });
    await expect(run(specOf({ seed: 9 }), { checkpointKey })).rejects.toMatchObject({ code: "PRECONDITION_FAILED" });
  });
});

describe("when the engine is lost", () => {
  it("pretraining goes back to its last checkpoint and ends with the same bits", async () => {
    const whole = await run(specOf());
    const lost: string[] = [];
    let mixer: PretrainedMixer | undefined;
    for await (const event of pretrain(jobOf(specOf()), world.deps(), SIGNAL)) {
      if (event.kind === "report" && event.update === 4) await world.engine.dropResident("train/");
      if (event.kind === "report" && event.update === 12) killChildren();
      if (event.kind === "recovered") lost.push(event.reason);
      if (event.kind === "done") mixer = event.pretrained;
    }
    expect(lost[0]).toBe("STATE_LOST");
    expect(lost).toHaveLength(2);
    expect(mixer && bytesOf(mixer)).toEqual(bytesOf(whole.mixer));
    expect(mixer?.history).toEqual(whole.mixer.history);
  });
});

/** Kills the processes this one started, which are the engine's. */
function killChildren(): void {
  const children = readFileSync(`/proc/${process.pid}/task/${process.pid}/children`, "utf8");
  for (const pid of children.trim().split(/\s+/u)) process.kill(Number(pid), "SIGKILL");
}

describe("what cannot be pretrained", () => {
  it("names update, regions and their bags when a feature is no number", async () => {
    const [first, ...others] = await writeRegionCohort(world.store, {
      ...{ nSlides: 3, side: 2, levelCount: 2, d: 8, seed: 7n },
    });
    if (first === undefined) throw new Error("no bag");
    // Opened once, so that its index is there; then damaged behind the reader's back.
    const bags = [first, ...others];
    const spec = specOf({ validationFraction: 0, batchRegions: 4, totalRegions: 24 });
    await run(spec, { bags });
    const { bytes } = await world.store.get(first.bag.key);
    const damaged = Buffer.from(bytes);
    damaged.writeFloatLE(Number.NaN, damaged.length - 4 * 8 * 3);
    await world.store.put(first.bag.key, damaged);
    await expect(run(spec, { bags })).rejects.toMatchObject({
      code: "NON_FINITE",
      message: expect.stringMatching(
        /^the pretraining loss is NaN at update \d of 6, in training regions \d.* of bags [0-9a-f]{12}/u,
      ) as string,
      details: { bagDigests: expect.stringContaining(first.bag.digest.slice(0, 12)) as string },
    });
  });

  it("are bags too small for the source of two crops, naming its side", async () => {
    const bags = await writeRegionCohort(world.store, { nSlides: 2, side: 2, levelCount: 2, d: 8, seed: 3n });
    const contrastive = { sourceTiles: 7 };
    await expect(run(specOf({ validationFraction: 0, contrastive }), { bags })).rejects.toMatchObject({
      code: "PRECONDITION_FAILED",
      message: expect.stringContaining("the train part has no place of 7 × 7 coarse tiles with ") as string,
      details: { sourceTiles: "7" },
    });
  });

  it("are bags that are no region bags, or of other magnifications", async () => {
    const three = await writeRegionCohort(world.store, { nSlides: 2, side: 2, levelCount: 3, d: 8, seed: 3n });
    await expect(run(specOf({ validationFraction: 0 }), { bags: three })).rejects.toMatchObject({
      code: "GEOMETRY_MISMATCH",
      message: "a region bag has 3 magnifications; the mixer takes 2",
    });
    await expect(run(specOf(), { bags: [] })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  });
});
