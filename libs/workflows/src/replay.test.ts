import { createMemoryStore, type ObjectStore } from "@parfocal/store";
import { describe, expect, it } from "vitest";
import { listKeys, openTestDriver } from "./testing/test-driver.ts";
import type { Json, Workflow } from "./workflow.ts";

type AnyWorkflow = Workflow<never, Json>;

async function stepsInJournal(store: ObjectStore, name: string, n: number): Promise<string[]> {
  const prefix = `operations/p/${name.split("/").at(-1)}/steps/`;
  for (;;) {
    const keys = (await listKeys(store, prefix)).filter((key) => !key.endsWith("inherited.json"));
    if (keys.length >= n) return keys;
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** Steps a and b, then one that ends only with the driver. */
const abThenWait: AnyWorkflow = async ({ step, signal }) => {
  await step("a", async () => 1);
  await step("b", async () => 2);
  await step("wait", () => untilAborted(signal));
  return null;
};

function untilAborted(signal: AbortSignal): Promise<null> {
  return new Promise((_, reject) => {
    signal.addEventListener("abort", () => reject(new Error("stopped")), { once: true });
  });
}

describe("a workflow that is resumed", () => {
  it("goes on above every sequence that was shown", async () => {
    const store = createMemoryStore();
    const reports: AnyWorkflow = async ({ step, signal }) => {
      await step("a", async ({ report }) => {
        for (let i = 0; i < 400; i++) report({ phase: "many", fraction: i / 400 });
        return null;
      });
      await step("b", async () => null);
      return await step("wait", () => untilAborted(signal));
    };
    const before = await openTestDriver({ job: reports }, { store, progressIntervalMs: 60_000 });
    const { name } = await before.start({ project: "p", kind: "job", input: null });
    await stepsInJournal(store, name, 2);
    const shown = (await before.get(name)).sequence;
    expect(shown).toBeGreaterThan(400);
    // What a kill leaves: none of the 400 reports was stored yet. Without its owner object a store is free.
    const left = createMemoryStore();
    for (const key of await listKeys(store, "operations/")) {
      if (key !== "operations/.owner") await left.put(key, (await store.get(key)).bytes);
    }
    await before.close();
    const after = await openTestDriver({ job: abThenWait }, { store: left });
    expect((await after.get(name)).sequence).toBeGreaterThan(shown);
    // Its epoch is 1 again; the steps of the other epoch 1 still count and the rest goes into a folder of its own.
    while ((await after.get(name)).progress.phase !== "resumed") await new Promise(setImmediate);
    const keys = await listKeys(left, `operations/p/${name.split("/").at(-1)}/steps/`);
    expect(new Set(keys.map((key) => key.split("/")[4])).size).toBe(2);
    await after.close();
  });
});
