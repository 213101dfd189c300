import { createMemoryStore } from "@parfocal/store";
import { describe, expect, it } from "vitest";
import { createGate, openTestDriver, untilDone } from "./testing/test-driver.ts";
import type { Json, WorkflowContext } from "./workflow.ts";

const addUp = async (context: WorkflowContext, input: { readonly values: readonly number[] }): Promise<Json> => {
  const doubled = await Promise.all(input.values.map((value, i) => context.step(`double ${i}`, async () => value * 2)));
  return { sum: await context.step("sum", async () => doubled.reduce((a, b) => a + b, 0)) };
};

describe("the embedded driver", () => {
  it("runs a workflow over its steps and gives its response", async () => {
    const driver = await openTestDriver({ addUp });
    const started = await driver.start({ project: "p1", kind: "addUp", input: { values: [1, 2, 3] } });
    expect(started).toMatchObject({
      kind: "addUp",
      sequence: 1,
      isCancelRequested: false,
      outcome: { kind: "running" },
    });
    expect(started.name).toMatch(/^projects\/p1\/operations\/[0-9a-f]{32}$/);
    const done = await untilDone(driver, started.name);
    expect(done.outcome).toEqual({ kind: "succeeded", response: { sum: 12 } });
    expect(done.endTimeMs).toBeGreaterThanOrEqual(done.createTimeMs);
    expect(await driver.get(started.name)).toEqual(done);
    await driver.close();
  });

  it("keeps operations beyond maxConcurrent queued and runs them in the order of their creation", async () => {
    const gate = createGate();
    const order: Json[] = [];
    const hold = async (context: WorkflowContext, input: Json): Promise<Json> => {
      order.push(input);
      await context.step("hold", () => gate.opened.then(() => null));
      return input;
    };
    const driver = await openTestDriver({ hold }, { maxConcurrent: 2 });
    const names: string[] = [];
    for (let i = 0; i < 5; i++) names.push((await driver.start({ project: "p", kind: "hold", input: i })).name);
    const states = await Promise.all(names.map((name) => driver.get(name)));
    expect(states.slice(2).map(({ progress }) => progress.phase)).toEqual(["queued", "queued", "queued"]);
    gate.open();
    for (const name of names) expect((await untilDone(driver, name)).outcome.kind).toBe("succeeded");
    expect(order).toEqual([0, 1, 2, 3, 4]);
    await driver.close();
  });

  it("answers nothing after close, and a second close is the first", async () => {
    const driver = await openTestDriver({ addUp });
    await Promise.all([driver.close(), driver.close()]);
    const late = driver.start({ project: "p", kind: "addUp", input: { values: [] } });
    await expect(late).rejects.toMatchObject({ code: "UNREACHABLE", message: "this gateway is stopping" });
  });

  it("refuses a second driver on the same store and admits it after close", async () => {
    const store = createMemoryStore();
    const first = await openTestDriver({ addUp }, { store });
    await expect(openTestDriver({ addUp }, { store })).rejects.toMatchObject({ code: "CONFLICT" });
    await first.close();
    const second = await openTestDriver({ addUp }, { store });
    await second.close();
  });
});
