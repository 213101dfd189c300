import { type Bag, readBag, TILE_FLAGS, writeBag } from "@parfocal/bags";
import type { TensorSource } from "@parfocal/engine";
import { createMemoryStore } from "@parfocal/store";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadModel } from "../package/load-model.ts";
import { createKeyedLock } from "../reembed/keyed-lock.ts";
import { reembedBag } from "../reembed/reembed-bag.ts";
import { cellsOf, regionBag } from "../testing/region-bags.ts";
import { writeRegionCohort } from "../testing/region-cohort.ts";
import { openWorld, type World } from "../testing/world.ts";
import { pretrain } from "./pretrain.ts";
import type { PretrainDeps, PretrainedMixer, RegionBag } from "./pretrain-job.ts";
import { planPretraining } from "./pretrain-plan.ts";
import { parsePretrainSpec } from "./pretrain-spec.ts";
import { publishMixer } from "./publish-mixer.ts";

const SIGNAL = new AbortController().signal;
const MIXER = { regionTiles: 2, levelCount: 3, width: 16, depth: 1, heads: 2 };
const MASKED = { decoderWidth: 24, decoderHeads: 2, decoderDepth: 1 };
const CONTRASTIVE = { sourceTiles: 3, projectorWidth: 16, projectionWidth: 8 };
/** First slot of each magnification in a block. */
const FIRST_SLOTS = [0, 1, 5, 21];

let world: World;
/** Slides that lack one magnification: two each that lack the coarsest, the one between and the finest, and two that lack none. */
let cohort: RegionBag[];
beforeAll(async () => {
  world = await openWorld();
  const lacking = await Promise.all([0, 1, 2, 3].map((m) => slidesWithout(m)));
  cohort = lacking.flatMap((bags, group) => bags.map((bag, at) => ({ ...bag, patient: `p${group}-${at}` })));
});
afterAll(() => world.close());

function slidesWithout(m: number): Promise<RegionBag[]> {
  const [first, end] = [FIRST_SLOTS[m] ?? 21, FIRST_SLOTS[m + 1] ?? 21];
  const isMissing = (_cell: number, slot: number) => slot >= first && slot < end;
  return writeRegionCohort(world.store, { nSlides: 2, side: 4, levelCount: 3, d: 8, seed: BigInt(m + 1), isMissing });
}

function specOf(change: object = {}) {
  const sizes = { batchRegions: 8, totalRegions: 320, checkpointUpdates: 10, validationFraction: 0.2 };
  return parsePretrainSpec({ mixer: MIXER, masked: MASKED, optimiser: { learningRate: 0.1 }, ...sizes, ...change });
}

async function mixerOf(spec: ReturnType<typeof specOf>): Promise<PretrainedMixer> {
  let mixer: PretrainedMixer | undefined;
  for await (const event of pretrain({ spec, bags: cohort, regionsPrefix: "derived" }, world.deps(), SIGNAL)) {
    if (event.kind === "done") mixer = event.pretrained;
  }
  if (mixer === undefined) throw new Error("the pretraining ended without a mixer");
  return mixer;
}

describe("slides that lack a whole magnification", () => {
  it.each([
    ["masked", {}],
    ["contrastive", { contrastive: CONTRASTIVE }],
  ])("are learned from together with those that lack none: %s", async (name, objective) => {
    const mixer = await mixerOf(specOf(objective));
    const [first, last] = [mixer.history[0], mixer.history.at(-1)];
    expect(last?.loss).toBeLessThan(first?.loss ?? 0);
    expect(mixer.history.every(({ loss }) => Number.isFinite(loss))).toBe(true);
    for (const level of [0, 1, 2]) {
      expect(mixer.history.some(({ levels }) => Number.isFinite(levels[level]?.loss))).toBe(true);
    }
    await publishMixer(world.store, `models/${name}`, mixer, { codeVersion: "test" });
    const loaded = await loadModel(world.store, `models/${name}`);
    for (const { bag } of cohort) {
      const steps = reembedBag({ ...world, lock: createKeyedLock() }, loaded, bag, SIGNAL);
      let step = await steps.next();
      while (step.done !== true) step = await steps.next();
      // Reading checks that every feature is finite.
      expect(await readBag(world.store, step.value)).toMatchObject({ n: bag.n, d: MIXER.width });
    }
  });
});

describe("slides of fewer magnifications than the mixer", () => {
  it("are refused with the option that lets them join", async () => {
    const bags = await writeRegionCohort(world.store, { nSlides: 2, side: 4, levelCount: 2, d: 8, seed: 9n });
    const plan = planPretraining({ spec: specOf(), bags, regionsPrefix: "derived" }, world.deps(), SIGNAL);
    await expect(plan).rejects.toMatchObject({
      code: "GEOMETRY_MISMATCH",
      message: `a region bag has 2 magnifications; the mixer takes 3: BuildRegions joins a slide that lacks some when levelMpps names all`,
    });
  });
});

describe("tiles that stand in for others", () => {
  const stand = 99;

  it("are neither seen nor predicted, whatever else is there", async () => {
    const store = createMemoryStore();
    const bags = await Promise.all(
      [1n, 2n].map(async (seed) => ({ bag: await writeBag(store, "bags/", withStandIns(seed)) })),
    );
    const spec = specOf({ validationFraction: 0.5 });
    // Nothing is computed.
    const plan = await planPretraining(
      { spec, bags, regionsPrefix: "derived" },
      { store } as unknown as PretrainDeps,
      SIGNAL,
    );
    const { feeds, isRagged } = await plan.train.makeBatch(0, 4, SIGNAL);
    expect(isRagged).toBe(true);
    const tokens = wordsOf(feeds.tokens, Float32Array);
    expect(tokens.some((value) => value !== 0)).toBe(true);
    expect(tokens.includes(stand)).toBe(false);
    // Magnification 0 is the first 4 of the 84 tokens of a region of 2 × 2.
    for (const part of ["kept", "removed"]) {
      const isThere = wordsOf(feeds[`${part}Present`], Int32Array);
      const places = [...wordsOf(feeds[part], Int32Array)].filter((_, at) => isThere[at] === 1);
      expect(places.length).toBeGreaterThan(0);
      expect(Math.min(...places)).toBeGreaterThanOrEqual(4);
    }
  });

  /** A slide whose coarse tiles all stand in for tiles that were never embedded. */
  function withStandIns(seed: bigint): Bag {
    const feature = ({ m }: { readonly m: number }, _k: number, noise: number) => (m === 0 ? stand : noise);
    const bag = regionBag({ cells: cellsOf(3, 3), levelCount: 3, d: 4, seed, feature });
    return { ...bag, flags: Uint8Array.from(bag.level ?? [], (level) => (level === 2 ? TILE_FLAGS.pseudo : 0)) };
  }
});

function wordsOf<T>(source: TensorSource | undefined, words: { new (buffer: ArrayBuffer): T }): T {
  if (source?.kind !== "inline") throw new Error("the tensor is not inline");
  return new words(new Uint8Array(source.tensor.data).buffer);
}
