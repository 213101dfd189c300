import { createMemoryStore } from "@parfocal/store";
import { type OperationState, type StepContext, type WorkflowContext, waitForOperation } from "@parfocal/workflows";
import { describe, expect, it } from "vitest";
import { createGate, NEVER, untilDone } from "../../libs/workflows/src/testing/test-driver.ts";
import type { OpenDriver } from "./workflow-contract.ts";

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
    report: (i: number) => step?.report({ phase: `epoch ${i}`, fraction: i / 1000, counters: { i } }),
  };
}

/** What watchers see. */
export function describeWatching(open: OpenDriver): void {
  describe("watching an operation", () => {
    it("shows progress in growing sequences, and the last of it with the outcome", async () => {
      const { job, begun, end, report } = createReporter();
      const driver = await open({ job });
      const { name } = await driver.start({ project: "p", kind: "job", input: null });
      await begun;
      const seen: OperationState[] = [];
      const first = createGate();
      const watching = (async () => {
        for await (const state of driver.watch(name, 0, NEVER)) {
          seen.push(state);
          if (state.progress.counters?.i === 1) first.open();
        }
      })();
      report(1);
      await first.opened;
      for (let i = 2; i <= 500; i++) report(i);
      end();
      await watching;
      const sequences = seen.map(({ sequence }) => sequence);
      expect(sequences).toEqual([...new Set(sequences)].toSorted((a, b) => a - b));
      expect(seen.at(-1)).toMatchObject({ progress: { phase: "epoch 500" }, outcome: { kind: "succeeded" } });
      await driver.close();
    });

    it("continues after the sequence that the watcher saw", async () => {
      const { job, begun, end, report } = createReporter();
      const driver = await open({ job });
      const { name } = await driver.start({ project: "p", kind: "job", input: null });
      await begun;
      report(1);
      let sequence = 0;
      for await (const state of driver.watch(name, 0, NEVER)) {
        sequence = state.sequence;
        if (state.progress.phase === "epoch 1") break;
      }
      const iterator = driver.watch(name, sequence, NEVER)[Symbol.asyncIterator]();
      const next = iterator.next();
      report(2);
      const { value } = (await next) as { value: OperationState };
      expect(value).toMatchObject({ progress: { phase: "epoch 2" } });
      expect(value.sequence).toBeGreaterThan(sequence);
      await iterator.return?.();
      end();
      await driver.close();
    });

    it("serves 100 watchers at once and lets go of those that leave", async () => {
      const { job, begun, end, report } = createReporter();
      const driver = await open({ job });
      const { name } = await driver.start({ project: "p", kind: "job", input: null });
      await begun;
      const leaving = new AbortController();
      const watch = async (signal: AbortSignal): Promise<string> => {
        let last = "";
        for await (const { outcome } of driver.watch(name, 0, signal)) last = outcome.kind;
        return last;
      };
      const staying = Array.from({ length: 90 }, () => watch(NEVER));
      const left = Promise.allSettled(Array.from({ length: 10 }, () => watch(leaving.signal)));
      for (let i = 0; i < 20; i++) report(i);
      leaving.abort();
      for (const end of await left) expect(end).toMatchObject({ status: "rejected", reason: { code: "CANCELLED" } });
      end();
      expect(new Set(await Promise.all(staying))).toEqual(new Set(["succeeded"]));
      await driver.close();
    });

    it("gives the done state of an operation that ended long ago, whatever was seen", async () => {
      const store = createMemoryStore();
      const first = await open({ job: async () => 1 }, { store });
      const { name } = await first.start({ project: "p", kind: "job", input: null });
      const done = await untilDone(first, name);
      await first.close();
      const second = await open({ job: async () => 1 }, { store });
      expect(await Array.fromAsync(second.watch(name, done.sequence, NEVER))).toEqual([done]);
      const missing = second.watch(`projects/p/operations/${"0".repeat(32)}`, 0, NEVER);
      await expect(Array.fromAsync(missing)).rejects.toMatchObject({ code: "NOT_FOUND" });
      await second.close();
    });

    it("ends with UNREACHABLE when the driver closes, so that the watcher comes back", async () => {
      const { job, begun } = createReporter();
      const driver = await open({ job }, { closeGraceMs: 10 });
      const { name } = await driver.start({ project: "p", kind: "job", input: null });
      await begun;
      const watched = expect(Array.fromAsync(driver.watch(name, 0, NEVER))).rejects.toMatchObject({
        code: "UNREACHABLE",
      });
      await driver.close();
      await watched;
    });
  });

  describe("waiting for an operation", () => {
    it("gives the running state when the time is over and the done one when it ends first", async () => {
      const { job, begun, end } = createReporter();
      const driver = await open({ job });
      const { name } = await driver.start({ project: "p", kind: "job", input: null });
      await begun;
      expect((await waitForOperation(driver, name, 5, NEVER)).outcome.kind).toBe("running");
      const cut = waitForOperation(driver, name, 10_000, AbortSignal.timeout(5));
      await expect(cut).rejects.toMatchObject({ code: "DEADLINE_EXCEEDED" });
      end();
      expect((await waitForOperation(driver, name, 10_000, NEVER)).outcome.kind).toBe("succeeded");
      await expect(waitForOperation(driver, name, -1, NEVER)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
      await driver.close();
    });
  });
}
