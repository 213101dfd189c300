import { createMemoryStore, type ObjectStore } from "@parfocal/store";
import { describe, expect, it } from "vitest";
import { createGate, listKeys, openTestDriver, untilDone } from "./testing/test-driver.ts";
import type { Json, WorkflowContext, WorkflowDriver } from "./workflow.ts";

const echo = async (_: WorkflowContext, input: Json): Promise<Json> => input;
const hold = (): Promise<Json> => new Promise(() => undefined);

/** A clock whose every reading is one ms later. */
function tickingClock() {
  let nowMs = 1_000;
  const delay = (ms: number, signal?: AbortSignal): Promise<void> =>
    new Promise((resolve, reject) => {
      const timer = setTimeout(resolve, ms);
      const onAbort = (): void => {
        clearTimeout(timer);
        reject(new Error("stopped"));
      };
      signal?.addEventListener("abort", onAbort, { once: true });
    });
  return { nowMs: () => nowMs++, monotonicMs: () => performance.now(), delay };
}

async function fill(driver: WorkflowDriver, n: number, kind: (i: number) => string): Promise<string[]> {
  const names: string[] = [];
  for (let i = 0; i < n; i++) {
    const { name } = await driver.start({ project: "p", kind: kind(i), input: i });
    names.push(name);
    if (kind(i) === "echo") await untilDone(driver, name);
  }
  return names;
}

async function allPages(driver: WorkflowDriver, page: Parameters<WorkflowDriver["list"]>[1]): Promise<string[][]> {
  const pages: string[][] = [];
  let pageToken: string | undefined;
  do {
    const found = await driver.list("p", { ...page, ...(pageToken === undefined ? {} : { pageToken }) });
    pages.push(found.operations.map(({ name }) => name));
    pageToken = found.nextPageToken;
  } while (pageToken !== undefined);
  return pages;
}

describe("listing operations", () => {
  it("gives the newest first in pages that miss and repeat nothing while others are created", async () => {
    const driver = await openTestDriver({ echo }, { clock: tickingClock() });
    const names = await fill(driver, 7, () => "echo");
    const first = await driver.list("p", { pageSize: 3 });
    await fill(driver, 2, () => "echo");
    const second = await driver.list("p", { pageSize: 3, pageToken: first.nextPageToken ?? "" });
    const third = await driver.list("p", { pageSize: 3, pageToken: second.nextPageToken ?? "" });
    const listed = [first, second, third].flatMap(({ operations }) => operations.map(({ name }) => name));
    expect(listed).toEqual(names.toReversed());
    expect(third.nextPageToken).toBeUndefined();
    await driver.close();
  });

  it("filters by kind and by being done, also after a restart", async () => {
    const store = createMemoryStore();
    const clock = tickingClock();
    const kind = (i: number): string => (i % 3 === 0 ? "hold" : "echo");
    const options = { store, clock, maxConcurrent: 10, closeGraceMs: 10 };
    const first = await openTestDriver({ echo, hold }, options);
    const names = (await fill(first, 7, kind)).toReversed();
    const check = async (driver: WorkflowDriver): Promise<void> => {
      const held = [names[0], names[3], names[6]];
      const echoed = names.filter((name) => !held.includes(name));
      expect((await allPages(driver, { pageSize: 2, isDone: false })).flat()).toEqual(held);
      expect((await allPages(driver, { pageSize: 2, isDone: true })).flat()).toEqual(echoed);
      expect(await allPages(driver, { pageSize: 2, kind: "echo" })).toEqual([echoed.slice(0, 2), echoed.slice(2)]);
      expect(await allPages(driver, { pageSize: 2, kind: "hold", isDone: true })).toEqual([[]]);
    };
    await check(first);
    await first.close();
    const second = await openTestDriver({ echo, hold }, options);
    await check(second);
    await second.close();
  });

  it("reads only the states of its page out of 10 000 operations", async () => {
    const store = createMemoryStore();
    for (let i = 0; i < 10_000; i++) {
      const id = i.toString(16).padStart(32, "0");
      await store.put(`operations/.index/p/${String(9_999_999_000_000 - i)}.${id}.echo`, new Uint8Array());
    }
    let nReads = 0;
    let nLists = 0;
    const counting: ObjectStore = {
      ...store,
      get: (...args) => {
        nReads++;
        return store.get(...args);
      },
      list: (...args) => {
        nLists++;
        return store.list(...args);
      },
    };
    const driver = await openTestDriver({ echo }, { store: counting });
    expect(nLists).toBeLessThanOrEqual(12);
    nReads = 0;
    await driver.list("p", { pageSize: 50, kind: "echo", isDone: true });
    expect(nReads).toBe(50);
    await driver.close();
  });

  it.each([
    [{ pageSize: 0 }, "page size 0 is not a whole number from 1 to 1000"],
    [{ pageSize: 10, pageToken: "?" }, "the page token is not one that a listing gave"],
    [
      { pageSize: 10, pageToken: Buffer.from('["q","/","x"]').toString("base64url") },
      "the page token belongs to a listing of another project or filter",
    ],
  ])("refuses %j", async (page, message) => {
    const driver = await openTestDriver({ echo });
    await expect(driver.list("p", page)).rejects.toMatchObject({ code: "INVALID_ARGUMENT", message });
    await driver.close();
  });
});

describe("deleting operations", () => {
  it("removes everything under the operation, its temporary objects included, and frees its request id", async () => {
    const store = createMemoryStore();
    const job = ({ step }: WorkflowContext): Promise<Json> => step("s", async () => 1);
    const driver = await openTestDriver({ job }, { store });
    const request = { project: "p", kind: "job", input: null, requestId: "r" };
    const { name } = await driver.start(request);
    await untilDone(driver, name);
    const id = name.split("/").at(-1);
    await store.put(`operations/p/${id}/tmp/part-1`, new Uint8Array([1]));
    await driver.delete(name);
    expect(await listKeys(store, "operations/")).toEqual(["operations/.owner"]);
    await expect(driver.get(name)).rejects.toMatchObject({ code: "NOT_FOUND" });
    await expect(driver.delete(name)).rejects.toMatchObject({ code: "NOT_FOUND" });
    expect((await driver.list("p", { pageSize: 5 })).operations).toEqual([]);
    expect((await driver.start(request)).outcome).toEqual({ kind: "running" });
    await driver.close();
  });

  it("refuses an operation that runs", async () => {
    const gate = createGate();
    const driver = await openTestDriver({ job: () => gate.opened.then(() => 1) });
    const { name } = await driver.start({ project: "p", kind: "job", input: null });
    await expect(driver.delete(name)).rejects.toMatchObject({ code: "PRECONDITION_FAILED" });
    gate.open();
    await untilDone(driver, name);
    await driver.delete(name);
    await driver.close();
  });

  it("can be finished by another call after it was cut off anywhere", async () => {
    for (let nAllowed = 0; nAllowed < 5; nAllowed++) {
      const store = createMemoryStore();
      let nLeft = Number.POSITIVE_INFINITY;
      const failing: ObjectStore = {
        ...store,
        delete: (key) => (nLeft-- > 0 ? store.delete(key) : Promise.reject(new Error("cut off"))),
      };
      const first = await openTestDriver({ echo }, { store: failing });
      const { name } = await first.start({ project: "p", kind: "echo", input: 1 });
      await untilDone(first, name);
      nLeft = nAllowed;
      await first.delete(name).catch(() => undefined);
      nLeft = Number.POSITIVE_INFINITY;
      await first.close();
      const second = await openTestDriver({ echo }, { store });
      const { operations } = await second.list("p", { pageSize: 5 });
      for (const { outcome } of operations) expect(outcome.kind).toBe("succeeded");
      await second.delete(name).catch(() => undefined);
      expect(await listKeys(store, "operations/"), `after ${nAllowed} deletes`).toEqual(["operations/.owner"]);
      await second.close();
    }
  });

  it("expires what ended long enough ago and nothing else", async () => {
    let nowMs = 1_000;
    const clock = { ...tickingClock(), nowMs: () => nowMs };
    const driver = await openTestDriver({ echo, hold }, { clock, closeGraceMs: 10 });
    const old = (await fill(driver, 3, () => "echo")).length;
    const running = await fill(driver, 1, () => "hold");
    nowMs = 5_000;
    const young = await fill(driver, 2, () => "echo");
    expect(await driver.expireOperations({ olderThanMs: 1_000 })).toBe(old);
    const left = (await driver.list("p", { pageSize: 10 })).operations.map(({ name }) => name);
    expect(left.toSorted()).toEqual([...running, ...young].toSorted());
    await driver.close();
  });
});
