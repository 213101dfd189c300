import { createMemoryStore } from "@parfocal/store";
import { describe, expect, it } from "vitest";
import { createSystemClock } from "./clock.ts";
import { createGate, openTestDriver, untilDone } from "./testing/test-driver.ts";
import type { Json, WorkflowContext } from "./workflow.ts";

const addUp = async (context: WorkflowContext, input: { readonly values: readonly number[] }): Promise<Json> => {
  const doubled = await Promise.all(input.values.map((value, i) => context.step(`double ${i}`, async () => value * 2)));
  return { sum: await context.step("sum", async () => doubled.reduce((a, b) => a + b, 0)) };
};

describe("the embedded driver", () => {
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

  it("ends no operation before its creation when the clock is put back", async () => {
    const system = createSystemClock();
    let nowMs = 2_000_000;
    const clock = { ...system, nowMs: () => nowMs };
    const job = ({ step }: WorkflowContext): Promise<Json> => step("put back", async () => (nowMs -= 3_600_000));
    const driver = await openTestDriver({ job }, { clock });
    const { name } = await driver.start({ project: "p", kind: "job", input: null });
    expect(await untilDone(driver, name)).toMatchObject({ createTimeMs: 2_000_000, endTimeMs: 2_000_000 });
    await driver.close();
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
