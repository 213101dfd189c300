import { DomainError } from "@parfocal/errors";
import { createMemoryStore, type ObjectStore } from "@parfocal/store";
import { describe, expect, it } from "vitest";
import { createSystemClock } from "./clock.ts";
import { listKeys, openTestDriver, untilDone } from "./testing/test-driver.ts";
import type { Json, WorkflowContext } from "./workflow.ts";

/** A store whose writes of requests go through `write`. */
function withRequests(store: ObjectStore, write: (put: () => ReturnType<ObjectStore["put"]>) => unknown): ObjectStore {
  const put = async (...args: Parameters<ObjectStore["put"]>) => {
    if (!args[0].endsWith("request.json")) return await store.put(...args);
    return (await write(() => store.put(...args))) as Awaited<ReturnType<ObjectStore["put"]>>;
  };
  return { ...store, put };
}

const away = (): DomainError => new DomainError("UNREACHABLE", "the store is away");

describe("starting an operation", () => {
  it("leaves nothing to resume when the request could not be written", async () => {
    const store = createMemoryStore();
    const failing = withRequests(store, () => Promise.reject(new Error("no")));
    const first = await openTestDriver({ echo: async () => null }, { store: failing });
    await expect(first.start({ project: "p", kind: "echo", input: null })).rejects.toThrow("no");
    await first.close();
    const second = await openTestDriver({ echo: async () => null }, { store });
    expect((await second.list("p", { pageSize: 10 })).operations).toEqual([]);
    expect(await listKeys(store, "operations/.")).toEqual(["operations/.owner"]);
    await second.close();
  });

  it("shows the operation that it made although the answer of the write was lost", async () => {
    const store = createMemoryStore();
    let nWrites = 0;
    const losing = withRequests(store, async (put) => {
      const info = await put();
      if (nWrites++ === 0) throw away();
      return info;
    });
    let nRuns = 0;
    const job = ({ step }: WorkflowContext): Promise<Json> => step("count", async () => ++nRuns);
    const first = await openTestDriver({ job }, { store: losing });
    const { name } = await first.start({ project: "p", kind: "job", input: null });
    expect((await untilDone(first, name)).outcome).toEqual({ kind: "succeeded", response: 1 });
    expect((await first.list("p", { pageSize: 10 })).operations.map((state) => state.name)).toEqual([name]);
    await first.close();
    const second = await openTestDriver({ job }, { store });
    expect((await second.list("p", { pageSize: 10 })).operations).toHaveLength(1);
    await second.close();
    expect(nRuns).toBe(1);
  });

  it("gives up on a store that stays away, and then nothing was made", async () => {
    const store = createMemoryStore();
    let nWrites = 0;
    const gone = withRequests(store, () => {
      nWrites++;
      throw away();
    });
    const system = createSystemClock();
    const clock = { ...system, delay: (ms: number, signal?: AbortSignal) => system.delay(ms / 100, signal) };
    const driver = await openTestDriver({ echo: async () => null }, { store: gone, clock });
    const starting = driver.start({ project: "p", kind: "echo", input: null });
    await expect(starting).rejects.toMatchObject({ code: "UNREACHABLE", message: "the store is away" });
    expect(nWrites).toBe(5);
    expect((await driver.list("p", { pageSize: 10 })).operations).toEqual([]);
    await driver.close();
  });
});
