import { describe, expect, it } from "vitest";
import { createMemoryStore } from "./memory/memory-store.ts";
import type { ObjectStore, PutOptions } from "./object-store.ts";
import { probeStore } from "./probe-store.ts";

/** A store as some servers are: conditions are looked at first and forgotten while bytes arrive. */
function createRacyStore(): ObjectStore {
  const store = createMemoryStore();
  const put: ObjectStore["put"] = async (key, body, options: PutOptions = {}) => {
    const current = await store.head(key).catch(() => undefined);
    if (options.ifNoneMatch === "*" && current !== undefined) return store.put(key, body, options);
    if (options.ifMatch !== undefined && options.ifMatch !== current?.etag) return store.put(key, body, options);
    await new Promise(setImmediate);
    return store.put(key, body);
  };
  return { ...store, put };
}

describe("the probe", () => {
  it("finds a store that keeps its conditions exact", async () => {
    const probe = await probeStore(createMemoryStore());
    expect(probe).toMatchObject({ conditionalPuts: "exact", conditionalUpdates: "exact", createWinners: [1, 1, 1] });
  });

  it("finds a store that lets several writers win, and cleans up", async () => {
    const store = createRacyStore();
    const probe = await probeStore(store);
    expect(probe).toMatchObject({ conditionalPuts: "broken", conditionalUpdates: "broken" });
    expect(probe.createWinners.every((nWinners) => nWinners > 1)).toBe(true);
    expect((await store.list("")).objects).toEqual([]);
  });

  it("finds a store that knows no conditions", async () => {
    const store = createMemoryStore();
    const put: ObjectStore["put"] = (key, body) => store.put(key, body);
    expect(await probeStore({ ...store, put })).toMatchObject({
      conditionalPuts: "broken",
      createWinners: [16, 16, 16],
    });
  });

  it("fails with the store when it cannot be probed", async () => {
    await expect(probeStore(createMemoryStore(), { signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: "CANCELLED",
    });
  });
});
