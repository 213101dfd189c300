import { createMemoryStore } from "@parfocal/store";
import type { Json, Workflow } from "@parfocal/workflows";
import { describe, expect, it } from "vitest";
import { createGate, listKeys, untilDone } from "../../libs/workflows/src/testing/test-driver.ts";
import type { OpenDriver } from "./workflow-contract.ts";

type AnyWorkflow = Workflow<never, Json>;
const CANCELLED = { kind: "failed", code: "CANCELLED", message: "the operation was cancelled" };

/** What cancelling means. */
export function describeCancelling(open: OpenDriver): void {
  describe("cancelling an operation", () => {
    it("aborts the running step within 2 s and publishes CANCELLED after the step has settled", async () => {
      const events: string[] = [];
      const begun = createGate();
      let cancelledMs = Number.NaN;
      let afterMs = Number.NaN;
      const job: AnyWorkflow = ({ step }) =>
        step("long", async ({ signal }) => {
          begun.open();
          await new Promise((resolve) => signal.addEventListener("abort", resolve));
          afterMs = performance.now() - cancelledMs;
          await new Promise((resolve) => setTimeout(resolve, 20));
          events.push("settled");
          throw new Error("stopped");
        });
      const driver = await open({ job });
      const { name } = await driver.start({ project: "p", kind: "job", input: null });
      await begun.opened;
      cancelledMs = performance.now();
      await driver.cancel(name);
      const done = await untilDone(driver, name);
      events.push("published");
      expect(afterMs).toBeLessThan(2_000);
      expect(done).toMatchObject({ isCancelRequested: true, outcome: CANCELLED });
      expect(events).toEqual(["settled", "published"]);
      await driver.close();
    });

    it("publishes CANCELLED for a step that ignores its signal, and discards its late result", async () => {
      const store = createMemoryStore();
      const begun = createGate();
      const late = createGate();
      const job: AnyWorkflow = ({ step }) =>
        step("deaf", async () => {
          begun.open();
          await late.opened;
          return "late";
        });
      const driver = await open({ job }, { store });
      const { name } = await driver.start({ project: "p", kind: "job", input: null });
      await begun.opened;
      await driver.cancel(name);
      // The step goes on until `late` opens, so this outcome did not wait for it.
      const done = await untilDone(driver, name);
      expect(done.outcome).toEqual(CANCELLED);
      late.open();
      await new Promise(setImmediate);
      const steps = (await listKeys(store, "operations/p/")).filter((key) => /\/\d{6}[sc]-/.test(key));
      expect(steps).toEqual([]);
      expect(await driver.get(name)).toEqual(done);
      await driver.close();
    });

    it("leaves a done operation as it is and knows which operation does not exist", async () => {
      const driver = await open({ job: async () => 1 });
      const { name } = await driver.start({ project: "p", kind: "job", input: null });
      const done = await untilDone(driver, name);
      await driver.cancel(name);
      expect(await driver.get(name)).toEqual(done);
      const missing = `projects/p/operations/${"0".repeat(32)}`;
      await expect(driver.cancel(missing)).rejects.toMatchObject({ code: "NOT_FOUND" });
      await expect(driver.cancel("projects/p/operations/..")).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
      await driver.close();
    });

    it("is remembered over a restart", async () => {
      const store = createMemoryStore();
      const begun = createGate();
      const job: AnyWorkflow = ({ step }) =>
        step("deaf", () => {
          begun.open();
          return new Promise<null>(() => undefined);
        });
      const first = await open({ job }, { store, cancelGraceMs: 60_000, closeGraceMs: 10 });
      const { name } = await first.start({ project: "p", kind: "job", input: null });
      await begun.opened;
      await first.cancel(name);
      await first.close();
      let nRuns = 0;
      const second = await open({ job: async () => ++nRuns }, { store });
      expect((await untilDone(second, name)).outcome).toEqual(CANCELLED);
      expect(nRuns).toBe(0);
      await second.close();
    });
  });
}
