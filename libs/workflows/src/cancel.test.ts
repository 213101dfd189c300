import { describe, expect, it } from "vitest";
import { createGate, openTestDriver, untilDone } from "./testing/test-driver.ts";
import type { Json, WorkflowContext } from "./workflow.ts";

const CANCELLED = { kind: "failed", code: "CANCELLED", message: "the operation was cancelled" };

describe("cancelling an operation", () => {
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
});
