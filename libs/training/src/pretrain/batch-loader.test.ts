import { createMemoryStore, type ObjectStore } from "@parfocal/store";
import { describe, expect, it } from "vitest";
import { writeRegionCohort } from "../testing/region-cohort.ts";
import { createBatchLoader } from "./batch-loader.ts";
import type { PretrainDeps, RegionBag } from "./pretrain-job.ts";
import { planPretraining } from "./pretrain-plan.ts";
import { parsePretrainSpec } from "./pretrain-spec.ts";

const SIGNAL = new AbortController().signal;

/** A store that tells how many of its reads run at a time, none of which ends before others could begin. */
function createCountingStore() {
  const inner = createMemoryStore();
  const counts = { running: 0, most: 0 };
  const store: ObjectStore = {
    ...inner,
    async get(key, options) {
      counts.most = Math.max(counts.most, ++counts.running);
      try {
        await new Promise(setImmediate);
        return await inner.get(key, options);
      } finally {
        counts.running -= 1;
      }
    },
  };
  return { store, counts };
}

function planOf(store: ObjectStore, bags: readonly RegionBag[]) {
  const spec = parsePretrainSpec({
    mixer: { regionTiles: 2, levelCount: 2, width: 8, heads: 1, depth: 1 },
    masked: { decoderWidth: 8, decoderDepth: 1, decoderHeads: 1 },
    ...{ batchRegions: 64, microBatchRegions: 64, totalRegions: 640, validationFraction: 0.2 },
  });
  // Nothing is computed.
  const deps = { store } as unknown as PretrainDeps;
  return planPretraining({ spec, bags, regionsPrefix: "derived" }, deps, SIGNAL);
}

const cohortIn = (store: ObjectStore) =>
  writeRegionCohort(store, { nSlides: 5, side: 4, levelCount: 2, d: 4, seed: 1n });

describe("the loader of a pretraining", () => {
  it("reads as many sources at a time as make 128 ranges, over all batches ahead and both parts", async () => {
    const { store, counts } = createCountingStore();
    const plan = await planOf(store, await cohortIn(store));
    counts.most = 0;
    const loader = createBatchLoader(plan, 0, SIGNAL);
    const validation = plan.validation.makeBatch(0, 64, SIGNAL);
    const sizes: number[] = [(await validation).regions.length];
    for (let batch = await loader.next(); batch !== undefined; batch = await loader.next())
      sizes.push(batch.regions.length);
    await loader.close();
    expect(sizes).toEqual(new Array(11).fill(64));
    expect(counts).toEqual({ running: 0, most: 64 });
  });

  it("ends what waits for its turn with what it is for", async () => {
    const { store, counts } = createCountingStore();
    const plan = await planOf(store, await cohortIn(store));
    const loader = createBatchLoader(plan, 0, SIGNAL);
    const next = expect(loader.next()).rejects.toMatchObject({ code: "CANCELLED" });
    await loader.close();
    await next;
    expect(counts.running).toBe(0);
    // The turns of what was cancelled are free again.
    expect((await plan.train.makeBatch(0, 64, SIGNAL)).regions).toHaveLength(64);
  });
});

describe("a region bag that is not what was opened", () => {
  it.each([
    ["deleted", "NOT_FOUND", /^training region \d+ of bag [0-9a-f]{12} cannot be read: there is no such object$/u],
    ["replaced", "PRECONDITION_FAILED", /^training region \d+ of bag [0-9a-f]{12} cannot be read: .+version/u],
  ])("is told by region and digest when it is %s in the middle", async (what, code, message) => {
    const store = createMemoryStore();
    const bags = await cohortIn(store);
    const plan = await planOf(store, bags);
    for (const { bag } of bags) {
      const { bytes } = await store.get(bag.key);
      await store.delete(bag.key);
      if (what === "replaced") await store.put(bag.key, bytes);
    }
    const refused = plan.train.makeBatch(0, 4, SIGNAL);
    await expect(refused).rejects.toMatchObject({ code, message: expect.stringMatching(message) as string });
    const { details, message: told } = (await refused.catch((error: unknown) => error)) as {
      readonly details: Readonly<Record<string, string>>;
      readonly message: string;
    };
    expect(bags.map(({ bag }) => bag.digest)).toContain(details.bagDigest);
    expect(told).toContain(`region ${details.region} of bag ${details.bagDigest?.slice(0, 12)} `);
    await expect(plan.validation.makeBatch(0, 1, SIGNAL)).rejects.toThrow(/^validation region \d+ /u);
  });

  it("is told by its digest when it is not there at first", async () => {
    const store = createMemoryStore();
    const bags = await cohortIn(store);
    const { key, digest } = bags[2]?.bag ?? { key: "", digest: "" };
    await store.delete(key);
    await expect(planOf(store, bags)).rejects.toMatchObject({
      code: "NOT_FOUND",
      message: `region bag ${digest.slice(0, 12)} cannot be read: there is no such object`,
      details: { bagDigest: digest },
    });
  });
});
