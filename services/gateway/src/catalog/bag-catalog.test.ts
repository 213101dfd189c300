import { createMemoryStore, type ObjectStore } from "@parfocal/store";
import { describe, expect, it } from "vitest";
import { type BagEntry, createBagCatalog } from "./bag-catalog.ts";
import { MAX_AGE_MS } from "./entry-cache.ts";
import { keys } from "./keys.ts";

const SHA = "a".repeat(64);
const BAG = `projects/p/bags/${SHA}.safetensors`;
const FIRST_PAGE = { pageSize: 0, pageToken: "" };
const ENTRY: BagEntry = {
  ref: { key: BAG, digest: SHA, sizeBytes: 1, n: 1, d: 64, dtype: "F16", hasCoords: false },
  metadata: { slideId: "s1" },
};

/** A store with the bag in it. */
async function storeWithBag(): Promise<ObjectStore> {
  const store = createMemoryStore();
  await store.put(BAG, Uint8Array.of(1));
  return store;
}

/** The keys of a store. */
async function keysOf(store: ObjectStore): Promise<string[]> {
  return (await store.list("")).objects.map(({ key }) => key);
}

/** `store`, which does `first` once before it answers the first call of `method` for `key`. */
function interrupted(
  store: ObjectStore,
  method: "head" | "put" | "delete",
  key: string,
  first: () => Promise<unknown>,
) {
  let isDone = false;
  const before = async (asked: string) => {
    if (isDone || asked !== key) return;
    isDone = true;
    await first();
  };
  const call = store[method] as (asked: string, ...rest: unknown[]) => Promise<unknown>;
  const changed = async (asked: string, ...rest: unknown[]) => {
    await before(asked);
    return call(asked, ...rest);
  };
  return { ...store, [method]: changed } as ObjectStore;
}

describe("deleting a bag", () => {
  it("deletes what was made of its tiles, and nothing of other bags", async () => {
    const store = await storeWithBag();
    const other = `cache/reembed/${"b".repeat(64)}/m.json`;
    const own = ["m.json", "m/x.safetensors", "unique-cells.json"].map((name) => `cache/reembed/${SHA}/${name}`);
    for (const key of [...own, other]) await store.put(key, Uint8Array.of(1));
    const bags = createBagCatalog(store);
    await bags.add("p", ENTRY);
    await bags.delete("p", SHA);
    expect(await keysOf(store)).toEqual([other]);
  });
});

describe("reading a bag while it is deleted", () => {
  it("gives it no more once the deletion is done, though a read was under way", async () => {
    const inner = await storeWithBag();
    const { promise: held, resolve: release } = Promise.withResolvers<void>();
    const slow: ObjectStore = {
      ...inner,
      get: async (key, options) => {
        const object = await inner.get(key, options);
        await held;
        return object;
      },
    };
    const bags = createBagCatalog(slow);
    await bags.add("p", ENTRY);
    const late = bags.get("p", SHA);
    await bags.delete("p", SHA);
    release();
    expect(await late).toEqual(ENTRY);
    await expect(bags.get("p", SHA)).rejects.toMatchObject({ code: "NOT_FOUND" });
  });

  it("gives it no more though a read came between forgetting and deleting it", async () => {
    const inner = await storeWithBag();
    const store = interrupted(inner, "delete", keys.bagIndex("p", SHA), () => bags.get("p", SHA));
    const bags = createBagCatalog(store);
    await bags.add("p", ENTRY);
    await bags.delete("p", SHA);
    await expect(bags.get("p", SHA)).rejects.toMatchObject({ code: "NOT_FOUND" });
  });

  it("gives it no more after a deletion whose answer was lost", async () => {
    const inner = await storeWithBag();
    const lossy: ObjectStore = {
      ...inner,
      delete: async (key, options) => {
        await inner.delete(key, options);
        await bags.get("p", SHA).catch(() => undefined);
        throw new Error("the answer was lost");
      },
    };
    const bags = createBagCatalog(lossy);
    await bags.add("p", ENTRY);
    await bags.get("p", SHA);
    await expect(bags.delete("p", SHA)).rejects.toThrow("lost");
    await expect(bags.get("p", SHA)).rejects.toMatchObject({ code: "NOT_FOUND" });
  });

  it("leaves nothing of a region bag", async () => {
    const store = await storeWithBag();
    const bags = createBagCatalog(store);
    await bags.add("p", ENTRY);
    await store.put(keys.blockIndex("p", SHA), new Uint8Array(1));
    await bags.delete("p", SHA);
    expect(await keysOf(store)).toEqual([]);
  });

  it("gives what another gateway deleted for a bounded time, and lists it no more", async () => {
    const store = await storeWithBag();
    const clock = { ms: 0 };
    const [ours, theirs] = [createBagCatalog(store, { nowMs: () => clock.ms }), createBagCatalog(store)];
    await ours.add("p", ENTRY);
    await ours.get("p", SHA);
    await theirs.delete("p", SHA);
    expect(await ours.get("p", SHA)).toEqual(ENTRY);
    expect((await ours.list("p", FIRST_PAGE)).items).toEqual([]);
    clock.ms = MAX_AGE_MS + 1;
    await expect(ours.get("p", SHA)).rejects.toMatchObject({ code: "NOT_FOUND" });
  });

  it("reads an entry once for listings, however much later they come", async () => {
    const inner = await storeWithBag();
    let nReads = 0;
    const counted: ObjectStore = {
      ...inner,
      get: (key, options) => {
        nReads += 1;
        return inner.get(key, options);
      },
    };
    const clock = { ms: 0 };
    const bags = createBagCatalog(counted, { nowMs: () => clock.ms });
    await bags.add("p", ENTRY);
    for (const ms of [0, 10 * MAX_AGE_MS]) {
      clock.ms = ms;
      expect((await bags.list("p", FIRST_PAGE)).items).toEqual([ENTRY]);
    }
    expect(nReads).toBe(1);
  });
});

describe("entering a bag while it is deleted", () => {
  it("tells whether it was new", async () => {
    const bags = createBagCatalog(await storeWithBag());
    expect(await bags.add("p", ENTRY)).toBe(true);
    expect(await bags.add("p", ENTRY)).toBe(false);
    expect(await bags.get("p", SHA)).toEqual(ENTRY);
  });

  it("leaves no entry when the bag was deleted between being stored and being entered", async () => {
    const store = await storeWithBag();
    const bags = createBagCatalog(store);
    await bags.delete("p", SHA);
    await expect(bags.add("p", ENTRY)).rejects.toMatchObject({ code: "NOT_FOUND" });
    expect(await keysOf(store)).toEqual([]);
    await expect(bags.get("p", SHA)).rejects.toMatchObject({ code: "NOT_FOUND" });
  });

  it("takes an entry back that an earlier import left pointing at nothing", async () => {
    const store = createMemoryStore();
    await store.put(keys.bagIndex("p", SHA), Buffer.from(JSON.stringify(ENTRY)));
    const bags = createBagCatalog(store);
    await bags.get("p", SHA);
    await expect(bags.add("p", ENTRY)).rejects.toMatchObject({ code: "NOT_FOUND" });
    await expect(bags.get("p", SHA)).rejects.toMatchObject({ code: "NOT_FOUND" });
  });

  it.each(["head", "put"] as const)(
    "leaves no entry when the deletion comes before the %s of adding",
    async (method) => {
      const inner = await storeWithBag();
      const key = method === "head" ? BAG : keys.bagIndex("p", SHA);
      const bags = createBagCatalog(interrupted(inner, method, key, () => createBagCatalog(inner).delete("p", SHA)));
      await expect(bags.add("p", ENTRY)).rejects.toMatchObject({ code: "NOT_FOUND" });
      expect(await keysOf(inner)).toEqual([]);
    },
  );

  it("leaves no entry when it is added between the two deletions", async () => {
    const inner = await storeWithBag();
    const other = createBagCatalog(inner);
    await other.add("p", ENTRY);
    const bags = createBagCatalog(interrupted(inner, "delete", BAG, () => other.add("p", ENTRY)));
    await bags.delete("p", SHA);
    expect(await keysOf(inner)).toEqual([]);
    await expect(bags.get("p", SHA)).rejects.toMatchObject({ code: "NOT_FOUND" });
  });

  it("keeps the entry of a bag that another import brought back meanwhile", async () => {
    const inner = createMemoryStore();
    const entryKey = keys.bagIndex("p", SHA);
    // The other import stores the bag and finds our entry before we take that back.
    const again = async () => {
      await inner.put(BAG, Uint8Array.of(1));
      expect(await createBagCatalog(inner).add("p", ENTRY)).toBe(false);
    };
    const bags = createBagCatalog(interrupted(inner, "delete", entryKey, again));
    await bags.add("p", ENTRY);
    expect((await keysOf(inner)).toSorted()).toEqual([entryKey, BAG].toSorted());
    expect(await bags.get("p", SHA)).toEqual(ENTRY);
  });
});
