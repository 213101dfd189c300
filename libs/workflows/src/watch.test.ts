import { createMemoryStore } from "@parfocal/store";
import { describe, expect, it } from "vitest";
import { createGate, NEVER, openTestDriver, untilDone } from "./testing/test-driver.ts";
import type { OperationState, StepContext, WorkflowContext } from "./workflow.ts";

/** A workflow whose one step reports what the test tells it to. */
function createReporter() {
  const begun = createGate();
  const end = createGate();
  let step: StepContext | undefined;
  const job = (context: WorkflowContext): Promise<null> =>
    context.step("report", async (given) => {
      step = given;
      begun.open();
      await end.opened;
      return null;
    });
  return {
    job,
    begun: begun.opened,
    end: end.open,
    report: (i: number) => step?.report({ phase: `epoch ${i}`, counters: { i } }),
  };
}

const tick = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("watching an operation", () => {
  it("gives every event to a watcher that keeps up and ends with the done state", async () => {
    const { job, begun, end, report } = createReporter();
    const driver = await openTestDriver({ job });
    const { name } = await driver.start({ project: "p", kind: "job", input: null });
    await begun;
    const seen: OperationState[] = [];
    const watching = (async () => {
      for await (const state of driver.watch(name, 0, NEVER)) seen.push(state);
    })();
    for (let i = 0; i < 10; i++) {
      report(i);
      await tick();
    }
    end();
    await watching;
    expect(seen.map(({ progress }) => progress.counters?.i).filter((i) => i !== undefined)).toEqual([
      0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9,
    ]);
    expect(seen.at(-1)?.outcome.kind).toBe("succeeded");
    const sequences = seen.map(({ sequence }) => sequence);
    expect(sequences).toEqual(sequences.map((_, i) => (sequences[0] ?? 0) + i));
    await driver.close();
  });

  it("gives a slow reader the latest state instead of a backlog", async () => {
    const { job, begun, end, report } = createReporter();
    const driver = await openTestDriver({ job });
    const { name } = await driver.start({ project: "p", kind: "job", input: null });
    await begun;
    const iterator = driver.watch(name, 0, NEVER)[Symbol.asyncIterator]();
    await iterator.next();
    for (let i = 0; i < 5000; i++) report(i);
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect((await iterator.next()).value).toMatchObject({ progress: { phase: "epoch 4999" } });
    await iterator.return?.();
    end();
    await driver.close();
  });

  it("serves 500 watchers at once and lets go of those that leave", async () => {
    const { job, begun, end, report } = createReporter();
    const driver = await openTestDriver({ job });
    const { name } = await driver.start({ project: "p", kind: "job", input: null });
    await begun;
    const leaving = new AbortController();
    const watch = async (signal: AbortSignal): Promise<string> => {
      let last = "";
      for await (const { outcome } of driver.watch(name, 0, signal)) last = outcome.kind;
      return last;
    };
    const staying = Array.from({ length: 450 }, () => watch(NEVER));
    const left = Promise.allSettled(Array.from({ length: 50 }, () => watch(leaving.signal)));
    for (let i = 0; i < 100; i++) {
      report(i);
      await tick();
    }
    leaving.abort();
    for (const end of await left) expect(end).toMatchObject({ status: "rejected", reason: { code: "CANCELLED" } });
    end();
    expect(new Set(await Promise.all(staying))).toEqual(new Set(["succeeded"]));
    await driver.close();
  });
});

describe("progress", () => {
  it("reaches the store at most once in each interval, and its last value with the outcome", async () => {
    const store = createMemoryStore();
    let nWrites = 0;
    const put: typeof store.put = (key, body, options) => {
      if (key.endsWith("state.json")) nWrites++;
      return store.put(key, body, options);
    };
    const { job, begun, end, report } = createReporter();
    const driver = await openTestDriver({ job }, { store: { ...store, put }, progressIntervalMs: 40 });
    const { name } = await driver.start({ project: "p", kind: "job", input: null });
    await begun;
    const startMs = performance.now();
    for (let i = 0; i < 300; i++) {
      report(i);
      await tick();
    }
    const nIntervals = Math.ceil((performance.now() - startMs) / 40);
    end();
    const done = await untilDone(driver, name);
    expect(done.progress.phase).toBe("epoch 299");
    // The claim and the outcome are the other two.
    expect(nWrites).toBeLessThanOrEqual(nIntervals + 2);
    await driver.close();
  });
});
