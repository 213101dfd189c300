import { createMemoryStore } from "@parfocal/store";
import type { Json, WorkflowContext, WorkflowDriver } from "@parfocal/workflows";
import { describe, expect, it } from "vitest";
import { createGate, listKeys, untilDone } from "../../libs/workflows/src/testing/test-driver.ts";
import type { OpenDriver } from "./workflow-contract.ts";

const echo = async (_: WorkflowContext, input: Json): Promise<Json> => input;
const hold = ({ step }: WorkflowContext): Promise<Json> =>
  step(
    "hold",
    ({ signal }) => new Promise((_, reject) => signal.addEventListener("abort", () => reject(new Error("stopped")))),
  );

/** A clock whose every reading is one ms later, from `fromMs` on. */
function tickingClock(fromMs = 1_000) {
  const clock = { nextMs: fromMs };
  const delay = (ms: number, signal?: AbortSignal): Promise<void> =>
    new Promise((resolve, reject) => {
      const timer = setTimeout(resolve, ms);
      const onAbort = (): void => {
        clearTimeout(timer);
        reject(new Error("stopped"));
      };
      signal?.addEventListener("abort", onAbort, { once: true });
    });
  return { clock, nowMs: () => clock.nextMs++, monotonicMs: () => performance.now(), delay };
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

/** How operations are listed, kept and forgotten. */
export function describeKeeping(open: OpenDriver): void {
  describe("listing operations", () => {
    it("gives the newest first in pages that miss and repeat nothing while others are created", async () => {
      const driver = await open({ echo }, { clock: tickingClock() });
      const names = await fill(driver, 7, () => "echo");
      const first = await driver.list("p", { pageSize: 3 });
      await fill(driver, 2, () => "echo");
      const second = await driver.list("p", { pageSize: 3, pageToken: first.nextPageToken ?? "" });
      const third = await driver.list("p", { pageSize: 3, pageToken: second.nextPageToken ?? "" });
      const listed = [first, second, third].flatMap(({ operations }) => operations.map(({ name }) => name));
      expect(listed).toEqual(names.toReversed());
      expect(third.nextPageToken).toBeUndefined();
      expect((await driver.list("other", { pageSize: 3 })).operations).toEqual([]);
      await driver.close();
    });

    it("filters by kind and by being done, also after a restart", async () => {
      const store = createMemoryStore();
      const clock = tickingClock();
      const kind = (i: number): string => (i % 3 === 0 ? "hold" : "echo");
      const first = await open({ echo, hold }, { store, clock });
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
      const second = await open({ echo, hold }, { store, clock });
      await check(second);
      await second.close();
    });

    it("refuses bad sizes and tokens", async () => {
      const driver = await open({ echo });
      const foreign = Buffer.from('["q","/","x"]').toString("base64url");
      const refused = [
        [{ pageSize: 0 }, "page size 0 is not a whole number from 1 to 1000"],
        [{ pageSize: 10, pageToken: "?" }, "the page token is not one that a listing gave"],
        [{ pageSize: 10, pageToken: foreign }, "the page token belongs to a listing of another project or filter"],
      ] as const;
      for (const [page, message] of refused) {
        await expect(driver.list("p", page)).rejects.toMatchObject({ code: "INVALID_ARGUMENT", message });
      }
      await driver.close();
    });
  });

  describe("deleting operations", () => {
    it("removes everything under the operation, its temporary objects included, and frees its request id", async () => {
      const store = createMemoryStore();
      const job = ({ step }: WorkflowContext): Promise<Json> => step("s", async () => 1);
      const driver = await open({ job }, { store });
      const request = { project: "p", kind: "job", input: null, requestId: "r" };
      const { name } = await driver.start(request);
      await untilDone(driver, name);
      const id = name.split("/").at(-1);
      await store.put(`operations/p/${id}/tmp/part-1`, new Uint8Array([1]));
      await driver.delete(name);
      const left = (await listKeys(store, "operations/")).filter((key) => key !== "operations/.owner");
      expect(left).toEqual([]);
      await expect(driver.get(name)).rejects.toMatchObject({ code: "NOT_FOUND" });
      await expect(driver.delete(name)).rejects.toMatchObject({ code: "NOT_FOUND" });
      expect((await driver.list("p", { pageSize: 5 })).operations).toEqual([]);
      expect((await driver.start(request)).outcome).toEqual({ kind: "running" });
      expect((await untilDone(driver, name)).outcome).toEqual({ kind: "succeeded", response: 1 });
      await driver.close();
    });

    it("refuses an operation that runs", async () => {
      const gate = createGate();
      const job = ({ step }: WorkflowContext): Promise<Json> => step("s", () => gate.opened.then(() => 1));
      const driver = await open({ job });
      const { name } = await driver.start({ project: "p", kind: "job", input: null });
      await expect(driver.delete(name)).rejects.toMatchObject({ code: "PRECONDITION_FAILED" });
      gate.open();
      await untilDone(driver, name);
      await driver.delete(name);
      await driver.close();
    });

    it("expires what ended long enough ago and nothing else", async () => {
      // Ends are told by the cluster's own clock where there is one.
      const ticking = tickingClock(Date.now() - 100_000);
      const driver = await open({ echo, hold }, { clock: ticking });
      const old = (await fill(driver, 3, () => "echo")).length;
      const running = await fill(driver, 1, () => "hold");
      ticking.clock.nextMs = Date.now() + 3_600_000;
      const young = await fill(driver, 2, () => "echo");
      expect(await driver.expireOperations({ olderThanMs: 600_000 })).toBe(old);
      const left = (await driver.list("p", { pageSize: 10 })).operations.map(({ name }) => name);
      expect(left.toSorted()).toEqual([...running, ...young].toSorted());
      await driver.close();
    });
  });
}
