import { createMemoryStore } from "@parfocal/store";
import { describe, expect, it } from "vitest";
import { createGate, listKeys, openTestDriver, untilDone } from "./testing/test-driver.ts";
import type { Json, Workflow, WorkflowContext } from "./workflow.ts";

type AnyWorkflow = Workflow<never, Json>;
const CANCELLED = { kind: "failed", code: "CANCELLED", message: "the operation was cancelled" };

describe("cancelling an operation", () => {
  it("aborts the running step and publishes CANCELLED after the step has settled", async () => {
    const events: string[] = [];
    const begun = createGate();
    const job: AnyWorkflow = ({ step }) =>
      step("long", async ({ signal }) => {
        begun.open();
        await new Promise((resolve) => signal.addEventListener("abort", resolve));
        await new Promise((resolve) => setTimeout(resolve, 20));
        events.push("settled");
        throw new Error("stopped");
      });
    const driver = await openTestDriver({ job });
    const { name } = await driver.start({ project: "p", kind: "job", input: null });
    await begun.opened;
    await driver.cancel(name);
    const done = await untilDone(driver, name);
    events.push("published");
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
    const driver = await openTestDriver({ job }, { store, cancelGraceMs: 1_500 });
    const { name } = await driver.start({ project: "p", kind: "job", input: null });
    await begun.opened;
    await driver.cancel(name);
    // The step goes on until `late` opens, so this outcome did not wait for it.
    const done = await untilDone(driver, name);
    expect(done.outcome).toEqual(CANCELLED);
    late.open();
    await new Promise(setImmediate);
    expect((await listKeys(store, "operations/p/")).some((key) => key.includes("/steps/"))).toBe(false);
    expect(await driver.get(name)).toEqual(done);
    await driver.close();
  });

  it("ends a queued operation without running it, while the running one goes on", async () => {
    const gate = createGate();
    const ran: Json[] = [];
    const job = async (_: WorkflowContext, input: Json): Promise<Json> => {
      ran.push(input);
      await gate.opened;
      return input;
    };
    const driver = await openTestDriver({ job }, { maxConcurrent: 1 });
    const first = await driver.start({ project: "p", kind: "job", input: 1 });
    const second = await driver.start({ project: "p", kind: "job", input: 2 });
    await driver.cancel(second.name);
    expect((await driver.get(second.name)).outcome).toEqual(CANCELLED);
    gate.open();
    expect((await untilDone(driver, first.name)).outcome).toEqual({ kind: "succeeded", response: 1 });
    expect(ran).toEqual([1]);
    await driver.close();
  });

  it("leaves a done operation as it is and knows which operation does not exist", async () => {
    const driver = await openTestDriver({ job: async () => 1 });
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
    const first = await openTestDriver({ job }, { store, cancelGraceMs: 60_000, closeGraceMs: 10 });
    const { name } = await first.start({ project: "p", kind: "job", input: null });
    await begun.opened;
    await first.cancel(name);
    await first.close();
    let nRuns = 0;
    const second = await openTestDriver({ job: async () => ++nRuns }, { store });
    expect((await untilDone(second, name)).outcome).toEqual(CANCELLED);
    expect(nRuns).toBe(0);
    await second.close();
  });
});

describe("closing the driver", () => {
  it("keeps the result of a step that finishes meanwhile, writes no outcome, and the next driver resumes", async () => {
    const store = createMemoryStore();
    const begun = createGate();
    const bodies: string[] = [];
    const job: AnyWorkflow = async ({ step }) => {
      const a = await step("a", async () => {
        bodies.push("a");
        begun.open();
        await new Promise((resolve) => setTimeout(resolve, 20));
        return "a";
      });
      return [
        a,
        await step("b", async () => {
          bodies.push("b");
          return "b";
        }),
      ];
    };
    const first = await openTestDriver({ job }, { store });
    const { name } = await first.start({ project: "p", kind: "job", input: null });
    await begun.opened;
    await first.close();
    expect(bodies).toEqual(["a"]);
    const second = await openTestDriver({ job }, { store });
    expect((await untilDone(second, name)).outcome).toEqual({ kind: "succeeded", response: ["a", "b"] });
    expect(bodies).toEqual(["a", "b"]);
    await second.close();
  });
});
