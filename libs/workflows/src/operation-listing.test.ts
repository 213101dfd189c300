import { createMemoryStore, type ObjectStore } from "@parfocal/store";
import { describe, expect, it } from "vitest";
import { listKeys, openTestDriver, untilDone } from "./testing/test-driver.ts";
import type { Json, WorkflowContext } from "./workflow.ts";

const echo = async (_: WorkflowContext, input: Json): Promise<Json> => input;

describe("listing operations", () => {
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
});

describe("deleting operations", () => {
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
});
