import { setImmediate as nextTurn } from "node:timers/promises";
import { type BagMetadata, type BagRef, writeBag } from "@parfocal/bags";
import { DomainError } from "@parfocal/errors";
import { createRng } from "@parfocal/metrics";
import { buildModel, countParameters, initialiseParameters } from "@parfocal/models";
import type { ObjectStore } from "@parfocal/store";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { BagSourceFacts } from "../job.ts";
import { type LoadedModel, loadModel } from "../package/load-model.ts";
import { predictBag } from "../package/predict-bag.ts";
import { publishPackage } from "../package/publish-model.ts";
import { openWorld, type World } from "../testing/world.ts";
import { createKeyedLock } from "./keyed-lock.ts";
import { type ReembedDeps, type ReembedOptions, reembedBag } from "./reembed-bag.ts";

const SIGNAL = new AbortController().signal;
const D = 6;
/** Rows that pass the stem at a time. */
const BLOCK = 4096;

let world: World;
beforeAll(async () => {
  world = await openWorld();
});
afterAll(() => world.close());

/** Publishes a model; all have one re-embedder, whose first layers look at one tile at a time. */
async function publish(name: string, expects: BagSourceFacts = {}): Promise<LoadedModel> {
  const model = buildModel({
    dIn: D,
    reembed: { kind: "r2t", stemWidth: 8, heads: 2, crmsaHeads: 2, regionNum: 2 },
    head: { kind: "gated-abmil", hidden: [6], attentionWidth: 4 },
    task: { kind: "binary", classes: ["no", "yes"] },
  });
  const weights = initialiseParameters(model.parameters, createRng(1n));
  const digests = { code: "test", config: "0".repeat(64), trainingData: "0".repeat(64) };
  const facts = { model: model.config, expects, thresholds: [0.5], areThresholdsFitted: false, digests, spec: {} };
  const trained = {
    epoch: 0,
    nParameters: countParameters(model.parameters),
    validation: null,
    test: null,
    history: [],
  };
  const prefix = `models/${name}`;
  await publishPackage(world.store, prefix, { model, weights, facts: { ...facts, ...trained } }, {});
  return loadModel(world.store, prefix);
}

async function write(n: number, seed: bigint, metadata: BagMetadata = {}): Promise<BagRef> {
  const rng = createRng(seed);
  const data = Float32Array.from({ length: n * D }, () => rng.normal());
  return writeBag(world.store, "bags/", { n, d: D, features: { dtype: "F32", data }, metadata });
}

function steps(loaded: LoadedModel, ref: BagRef, options: ReembedOptions & Partial<ReembedDeps> = {}) {
  const { verifies = false, ...deps } = options;
  return reembedBag({ ...world, lock: createKeyedLock(), ...deps }, loaded, ref, SIGNAL, { verifies });
}

/** Re-embeds to the end; `shown` is whether there was anything to do. */
async function reembed(...args: Parameters<typeof steps>): Promise<{ readonly bag: BagRef; readonly shown: number[] }> {
  const running = steps(...args);
  const shown: number[] = [];
  for (;;) {
    const step = await running.next();
    if (step.done === true) return { bag: step.value, shown };
    shown.push(step.value.nDone);
  }
}

/** The store, which notes every read of an object's bytes. */
function noting(gets: string[]): ObjectStore {
  const { store } = world;
  return {
    ...store,
    get(key, options) {
      gets.push(key);
      return store.get(key, options);
    },
  };
}

describe("a re-embedding that is kept", () => {
  const FOUND = { encoder: "virchow2", tilePx: 512, mpp: 0.25, stridePx: 512 };

  it.each([
    ["encoder", { encoder: "uni_v2" }],
    ["tilePx", { tilePx: 256 }],
    ["mpp", { mpp: 0.5 }],
    ["stridePx", { stridePx: 256 }],
  ])("is not for a model that takes bags of another %s, whoever had it made", async (field, expects) => {
    const strict = await publish(`strict-${field}`, { ...FOUND, ...expects });
    const ref = await write(20, 1n, FOUND);
    await reembed(await publish("loose"), ref);
    await expect(reembed(strict, ref)).rejects.toMatchObject({ code: "GEOMETRY_MISMATCH", details: { field } });
  });

  it("has the tile size, resolution and stride of the slide, which are checked where it is scored", async () => {
    const { bag } = await reembed(await publish("loose"), await write(20, 1n, FOUND));
    const fitting = await predictBag(world, await publish("fitting", FOUND), bag);
    expect(fitting.probabilities).toHaveLength(2);
    for (const expects of [{ tilePx: 256 }, { mpp: 0.5 }, { stridePx: 256 }]) {
      const strict = await publish(`scoring-${Object.keys(expects).join()}`, expects);
      const [field] = Object.keys(expects);
      const refused = { code: "GEOMETRY_MISMATCH", details: { field } };
      await expect(predictBag(world, strict, bag)).rejects.toMatchObject(refused);
    }
  });

  it("costs one read of the bag's header, whether it is there or has to be made", async () => {
    const loaded = await publish("loose");
    const ref = await write(20, 2n);
    for (const isThere of [false, true]) {
      const gets: string[] = [];
      const { shown } = await reembed(loaded, ref, { store: noting(gets) });
      expect(shown.length === 0).toBe(isThere);
      expect(gets.filter((key) => key === ref.key)).toHaveLength(1);
    }
  });
});

describe("a kept re-embedding that is damaged", () => {
  /** Re-embeds a bag and puts something else in the place of the result. */
  async function damage(seed: bigint, change: (bytes: Uint8Array) => Uint8Array) {
    const loaded = await publish("damaged");
    const ref = await write(30, seed);
    const { bag } = await reembed(loaded, ref);
    const { bytes } = await world.store.get(bag.key);
    await world.store.put(bag.key, change(Uint8Array.from(bytes)));
    const stored = async () => Buffer.from((await world.store.get(bag.key)).bytes).equals(bytes);
    return { loaded, ref, bag, stored };
  }

  it("is made anew when its size is another", async () => {
    const { loaded, ref, bag, stored } = await damage(3n, (bytes) => bytes.subarray(0, 500));
    expect(await reembed(loaded, ref)).toEqual({ bag, shown: [30] });
    expect(await stored()).toBe(true);
  });

  it("is made anew when what points at it is damaged", async () => {
    const { loaded, ref, bag } = await damage(7n, (bytes) => bytes);
    const pointer = `${bag.key.slice(0, bag.key.lastIndexOf("/"))}.json`;
    for (const text of ["{", "null", "{}"]) {
      await world.store.put(pointer, new TextEncoder().encode(text));
      expect(await reembed(loaded, ref)).toEqual({ bag, shown: [30] });
    }
    // As the store says of a small object whose bytes are not those that were put.
    const get: ObjectStore["get"] = async (key, options) => {
      if (key === pointer) throw new DomainError("CORRUPT", "other bytes");
      return world.store.get(key, options);
    };
    expect(await reembed(loaded, ref, { store: { ...world.store, get } })).toEqual({ bag, shown: [30] });
  });

  it("is made anew when its bytes are others and somebody asks for a look at them", async () => {
    const { loaded, ref, bag, stored } = await damage(4n, (bytes) => bytes.with(-7, (bytes.at(-7) ?? 0) ^ 0x55));
    await expect(predictBag(world, loaded, bag)).rejects.toMatchObject({ code: "CORRUPT" });
    expect(await reembed(loaded, ref)).toEqual({ bag, shown: [] });
    const lock = createKeyedLock();
    const both = await Promise.all([1, 2].map(() => reembed(loaded, ref, { verifies: true, lock })));
    expect(both.map((each) => each.bag)).toEqual([bag, bag]);
    expect(both.flatMap(({ shown }) => shown)).toEqual([30]);
    expect(await stored()).toBe(true);
    expect((await predictBag(world, loaded, bag)).probabilities).toHaveLength(2);
  });
});

describe("an engine process that ends between two runs of a re-embedding", () => {
  /** Ends the idle process as the cancel of another request does, and waits for the next one. */
  async function loseEngine(): Promise<void> {
    const { respawns, pid } = world.engine.stats();
    while (world.engine.stats().isBusy) await nextTurn();
    process.kill(pid ?? Number.NaN, "SIGKILL");
    while (world.engine.stats().respawns === respawns) await nextTurn();
    await world.engine.ready();
  }

  /** Re-embeds so many blocks of rows and ends the process after some that are shown, by their places. */
  async function reembedDespite(endsAfter: readonly number[], nBlocks: number, seed: bigint) {
    const ref = await write(nBlocks * BLOCK, seed);
    const running = steps(await publish("streamed"), ref, { wholeBytes: 0 });
    const shown: number[] = [];
    for (;;) {
      const step = await running.next();
      if (step.done === true) return { shown, bag: step.value, ref };
      shown.push(step.value.nDone / BLOCK);
      if (endsAfter.includes(shown.length)) await loseEngine();
    }
  }

  // The block after the one at which the process ended is shown too: what became of it is heard later.
  it("costs time, twice, and progress goes on from where it was", async () => {
    const { shown, bag, ref } = await reembedDespite([1, 3], 5, 5n);
    expect(shown).toEqual([1, 2, 3, 4, 5]);
    await world.store.delete(bag.key);
    expect((await reembed(await publish("streamed"), ref, { wholeBytes: 0 })).bag).toEqual(bag);
    await world.engine.dropResident("none");
    expect(world.engine.stats().residentTensors).toBe(0);
  });

  it("is told when it happens a third time", async () => {
    await expect(reembedDespite([1, 3, 5], 7, 6n)).rejects.toMatchObject({ code: "STATE_LOST" });
  });
});
