import { createMemoryStore, type ObjectStore } from "@parfocal/store";
import { describe, expect, it } from "vitest";
import { createSystemClock } from "./clock.ts";
import { encodeText } from "./json-object.ts";
import { stateKey } from "./operation-keys.ts";
import { listKeys, openTestDriver, untilDone } from "./testing/test-driver.ts";
import type { WorkflowDriver } from "./workflow.ts";

const registry = { echo: async () => null };

/** A driver whose clock says what `time.nowMs` says, and whose reads tell `onRead` of their keys. */
async function openDriver(onRead: (key: string) => Promise<void> = async () => undefined) {
  const memory = createMemoryStore();
  const time = { nowMs: 1_000 };
  const clock = { ...createSystemClock(), nowMs: () => time.nowMs };
  const get: ObjectStore["get"] = async (key, options) => {
    const found = await memory.get(key, options);
    await onRead(key);
    return found;
  };
  const store = { ...memory, get };
  return { store, time, driver: await openTestDriver(registry, { store, clock }) };
}

async function startDone(
  store: ObjectStore,
  driver: WorkflowDriver,
): Promise<{ readonly name: string; readonly id: string }> {
  const { name } = await driver.start({ project: "p", kind: "echo", input: null });
  await untilDone(driver, name);
  // Its task ends after it has removed the marker, and only then can it expire.
  do await new Promise(setImmediate);
  while ((await listKeys(store, "operations/.open/")).length > 0);
  await new Promise(setImmediate);
  return { name, id: name.split("/").at(-1) ?? "" };
}

describe("the expiry of operations", () => {
  it("takes those whose state cannot be read by the time of their creation", async () => {
    const { driver, store, time } = await openDriver();
    const { id } = await startDone(store, driver);
    await store.put(stateKey({ project: "p", id }), encodeText('{"version":1,'));
    time.nowMs = 5_000;
    expect(await driver.expireOperations({ olderThanMs: 4_000 })).toBe(0);
    expect(await driver.expireOperations({ olderThanMs: 3_999 })).toBe(1);
    expect(await listKeys(store, "operations/p/")).toEqual([]);
    expect((await driver.list("p", { pageSize: 10 })).operations).toEqual([]);
    await driver.close();
  });

  it("goes on when somebody deletes an operation before it does", async () => {
    let deleteFirst: (() => Promise<void>) | undefined;
    const { driver, store, time } = await openDriver(async (key) => {
      if (!key.endsWith("state.json")) return;
      const work = deleteFirst;
      deleteFirst = undefined;
      await work?.();
    });
    const names: string[] = [];
    for (let i = 0; i < 3; i++) names.push((await startDone(store, driver)).name);
    time.nowMs = 5_000;
    deleteFirst = () => driver.delete(names[0] ?? "");
    expect(await driver.expireOperations({ olderThanMs: 1_000 })).toBe(2);
    expect((await driver.list("p", { pageSize: 10 })).operations).toEqual([]);
    await driver.close();
  });
});
