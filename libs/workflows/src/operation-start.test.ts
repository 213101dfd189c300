import { createMemoryStore } from "@parfocal/store";
import { describe, expect, it } from "vitest";
import { createGate, listKeys, openTestDriver, untilDone } from "./testing/test-driver.ts";
import type { Json, WorkflowContext } from "./workflow.ts";

const requestId = "0b7e7d0e-6a53-4d43-9a0c-2f6ad6c0b0c1";

describe("starting an operation", () => {
  it("gives one operation for 16 racing starts with one request id, and runs its workflow once", async () => {
    let nRuns = 0;
    const count = async ({ step }: WorkflowContext): Promise<Json> => step("count", async () => ++nRuns);
    const store = createMemoryStore();
    const driver = await openTestDriver({ count }, { store });
    const inputs = Array.from({ length: 16 }, (_, i) => (i % 2 === 0 ? { a: 1, b: [2] } : { b: [2], a: 1 }));
    const states = await Promise.all(
      inputs.map((input) => driver.start({ project: "p", kind: "count", input, requestId })),
    );
    expect(new Set(states.map(({ name }) => name)).size).toBe(1);
    await untilDone(driver, states[0]?.name ?? "");
    expect(nRuns).toBe(1);
    expect((await listKeys(store, "operations/p/")).filter((key) => key.endsWith("request.json"))).toHaveLength(1);
    await driver.close();
  });

  it("gives the same operation again after it is done and after a restart", async () => {
    const store = createMemoryStore();
    const echo = async (_: WorkflowContext, input: Json): Promise<Json> => input;
    const first = await openTestDriver({ echo }, { store });
    const request = { project: "p", kind: "echo", input: "x", requestId };
    const done = await untilDone(first, (await first.start(request)).name);
    expect(await first.start(request)).toEqual(done);
    await first.close();
    const second = await openTestDriver({ echo }, { store });
    expect(await second.start(request)).toEqual(done);
    await second.close();
  });

  it("refuses a request id that was used for another input or kind, but not in another project", async () => {
    const gate = createGate();
    const hold = (): Promise<Json> => gate.opened.then(() => null);
    const driver = await openTestDriver({ hold, other: hold });
    const { name } = await driver.start({ project: "p", kind: "hold", input: 1, requestId });
    await expect(driver.start({ project: "p", kind: "hold", input: 2, requestId })).rejects.toMatchObject({
      code: "CONFLICT",
      message: 'this request id was used for a "hold" operation with another input',
    });
    await expect(driver.start({ project: "p", kind: "other", input: 1, requestId })).rejects.toMatchObject({
      code: "CONFLICT",
      message: 'this request id was used for a "hold" operation, not for "other"',
    });
    const elsewhere = await driver.start({ project: "q", kind: "hold", input: 2, requestId });
    expect(elsewhere.name).not.toBe(name);
    gate.open();
    await driver.close();
  });

  it.each([
    [{ project: "p", kind: "none", input: null }, 'there is no workflow "none"; there are: echo'],
    [{ project: "p", kind: "toString", input: null }, 'there is no workflow "toString"; there are: echo'],
    [{ project: "../x", kind: "echo", input: null }, 'project "../x" is not 1 to 63 letters, digits, _ or -'],
    [
      { project: "p", kind: "echo", input: { at: Number.NaN } },
      "the input holds NaN at $.at; only JSON values survive a journal",
    ],
    [
      { project: "p", kind: "echo", input: null, requestId: "" },
      "the request id has 0 characters; 1 to 128 are allowed",
    ],
  ])("refuses %j", async (request, message) => {
    const driver = await openTestDriver({ echo: async () => null });
    await expect(driver.start(request)).rejects.toMatchObject({ code: "INVALID_ARGUMENT", message });
    await driver.close();
  });

  it("leaves nothing to resume when the request could not be written", async () => {
    const store = createMemoryStore();
    const failing = {
      ...store,
      put: (...args: Parameters<typeof store.put>) =>
        args[0].endsWith("request.json") ? Promise.reject(new Error("no")) : store.put(...args),
    };
    const first = await openTestDriver({ echo: async () => null }, { store: failing });
    await expect(first.start({ project: "p", kind: "echo", input: null })).rejects.toThrow("no");
    await first.close();
    const second = await openTestDriver({ echo: async () => null }, { store });
    expect((await second.list("p", { pageSize: 10 })).operations).toEqual([]);
    expect(await listKeys(store, "operations/.")).toEqual(["operations/.owner"]);
    await second.close();
  });
});
