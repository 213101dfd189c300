import { createMemoryStore, type ObjectStore } from "@parfocal/store";
import { describe, expect, it } from "vitest";
import { createSystemClock } from "./clock.ts";
import { encodeText, readJson } from "./json-object.ts";
import { OWNER_KEY } from "./operation-keys.ts";
import { encodeOwner, type OwnerRecord, parseOwner } from "./owner-record.ts";
import { acquireOwnership, type Ownership } from "./ownership.ts";
import { currentProcessIdentity } from "./process-identity.ts";

const clock = createSystemClock();

function acquire(store: ObjectStore, nonce: string, ttlMs = 60_000): Promise<Ownership> {
  return acquireOwnership({ store, clock, nonce, ttlMs });
}

async function writeOwner(store: ObjectStore, change: Partial<OwnerRecord>): Promise<void> {
  const record: OwnerRecord = {
    version: 1,
    epoch: 7,
    nonce: "other",
    beat: 0,
    isReleased: false,
    process: currentProcessIdentity(),
    ...change,
  };
  await store.put(OWNER_KEY, encodeText(encodeOwner(record)));
}

const elsewhere = { ...currentProcessIdentity(), host: "elsewhere" };

describe("the ownership of a store", () => {
  it("is had by one of 16 that ask at once", async () => {
    const store = createMemoryStore();
    const all = await Promise.allSettled(Array.from({ length: 16 }, (_, i) => acquire(store, `n${i}`)));
    const won = all.filter((result) => result.status === "fulfilled");
    expect(won).toHaveLength(1);
    for (const lost of all) if (lost.status === "rejected") expect(lost.reason).toMatchObject({ code: "CONFLICT" });
    await won[0]?.value.release();
  });

  it("goes to the next at once after a release, with the next epoch", async () => {
    const store = createMemoryStore();
    const first = await acquire(store, "a");
    await first.release();
    const second = await acquire(store, "b");
    expect([first.epoch, second.epoch]).toEqual([1, 2]);
    await expect(first.assertHeld()).rejects.toMatchObject({ code: "UNREACHABLE" });
    await second.release();
  });

  it("is taken at once from a process of this machine that is gone or whose pid is another process now", async () => {
    const store = createMemoryStore();
    await writeOwner(store, { process: { ...currentProcessIdentity(), startTicks: "1" } });
    const owner = await acquire(store, "a");
    expect(owner.epoch).toBe(8);
    await owner.release();
  });

  it("is taken from another machine once its holder has been silent for the time to live", async () => {
    const store = createMemoryStore();
    await writeOwner(store, { process: elsewhere });
    const startMs = performance.now();
    const owner = await acquire(store, "a", 80);
    expect(performance.now() - startMs).toBeGreaterThanOrEqual(79);
    expect(owner.epoch).toBe(8);
    await owner.release();
  });

  it("is refused while a holder on another machine renews it", async () => {
    const store = createMemoryStore();
    await writeOwner(store, { process: elsewhere });
    const asked = acquire(store, "a", 200);
    const refused = expect(asked).rejects.toMatchObject({ code: "CONFLICT" });
    await clock.delay(20);
    await writeOwner(store, { process: elsewhere, beat: 1 });
    await refused;
  });

  it("is renewed while it is held", async () => {
    const store = createMemoryStore();
    const owner = await acquire(store, "a", 40);
    await clock.delay(120);
    await owner.assertHeld();
    expect(parseOwner((await readJson(store, OWNER_KEY))?.value).beat).toBeGreaterThan(1);
    await owner.release();
  });

  it("is known to be lost at the next renewal after another took it", async () => {
    const store = createMemoryStore();
    const owner = await acquire(store, "a", 40);
    await writeOwner(store, { epoch: 2, nonce: "b" });
    await clock.delay(40);
    expect(owner.lost.aborted).toBe(true);
    await expect(owner.assertHeld()).rejects.toMatchObject({
      code: "UNREACHABLE",
      message: "this gateway lost the operations of its store to another one",
    });
    await owner.release();
    expect(parseOwner((await readJson(store, OWNER_KEY))?.value)).toMatchObject({ nonce: "b", isReleased: false });
  });

  it("is known to be lost at the first commit after a long stop, as at any later one", async () => {
    const store = createMemoryStore();
    let sleptMs = 0;
    const sleeping = { ...clock, monotonicMs: () => clock.monotonicMs() + sleptMs };
    const owner = await acquireOwnership({ store, clock: sleeping, nonce: "a", ttlMs: 60_000 });
    await writeOwner(store, { epoch: 2, nonce: "b" });
    sleptMs = 60_000;
    const loss = { code: "UNREACHABLE", message: "this gateway lost the operations of its store to another one" };
    await expect(owner.assertHeld()).rejects.toMatchObject(loss);
    await expect(owner.assertHeld()).rejects.toMatchObject(loss);
    await owner.release();
  });

  it("survives a renewal whose answer was lost", async () => {
    const store = createMemoryStore();
    let nLost = 0;
    const flaky: ObjectStore = {
      ...store,
      put: async (...args) => {
        const info = await store.put(...args);
        if (++nLost % 2 === 0) throw new Error("the connection broke after the write");
        return info;
      },
    };
    const owner = await acquireOwnership({ store: flaky, clock, nonce: "a", ttlMs: 20 });
    await clock.delay(100);
    await owner.assertHeld().catch(() => owner.assertHeld());
    expect(owner.lost.aborted).toBe(false);
    expect(nLost).toBeGreaterThan(4);
    await owner.release();
  });

  it("is refused on a store whose ownership object cannot be read", async () => {
    const store = createMemoryStore();
    await store.put(OWNER_KEY, encodeText('{"version":2}'));
    await expect(acquire(store, "a")).rejects.toMatchObject({ code: "CORRUPT" });
  });
});
