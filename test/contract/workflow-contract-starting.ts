import { createMemoryStore } from "@parfocal/store";
import type { Json, WorkflowContext } from "@parfocal/workflows";
import { describe, expect, it } from "vitest";
import { createGate, listKeys, untilDone } from "../../libs/workflows/src/testing/test-driver.ts";
import type { OpenDriver } from "./workflow-contract.ts";

const requestId = "0b7e7d0e-6a53-4d43-9a0c-2f6ad6c0b0c1";

const addUp = async (context: WorkflowContext, input: { readonly values: readonly number[] }): Promise<Json> => {
  const doubled = await Promise.all(input.values.map((value, i) => context.step(`double ${i}`, async () => value * 2)));
  return { sum: await context.step("sum", async () => doubled.reduce((a, b) => a + b, 0)) };
};

/** What starting an operation means. */
export function describeStarting(open: OpenDriver): void {
  describe("starting an operation", () => {
    it("runs the workflow over its steps and gives its response", async () => {
      const driver = await open({ addUp });
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

    it("carries inputs and results that are larger than any message", async () => {
      const driver = await open({
        grow: ({ step }: WorkflowContext, input: string) => step("grow", async () => `${input}${input}`),
      });
      const { name } = await driver.start({ project: "p", kind: "grow", input: "x".repeat(3_000_000) });
      const { outcome } = await untilDone(driver, name);
      expect(outcome.kind === "succeeded" && (outcome.response as string).length).toBe(6_000_000);
      await driver.close();
    });

    it("tells the target while it waits, when it is done, and to the next process", async () => {
      const store = createMemoryStore();
      const gate = createGate();
      const hold = ({ step }: WorkflowContext): Promise<Json> => step("hold", () => gate.opened.then(() => null));
      const first = await open({ hold }, { store });
      const target = (id: string) => `projects/p/models/m/versions/${id}`;
      const { name, ...queued } = await first.start({ project: "p", kind: "hold", input: 1, target });
      const named = target(name.split("/").at(-1) ?? "");
      expect([queued, await first.get(name)].map((state) => state.target)).toEqual([named, named]);
      gate.open();
      expect((await untilDone(first, name)).target).toBe(named);
      await first.close();
      const second = await open({ hold }, { store });
      expect((await second.get(name)).target).toBe(named);
      expect((await second.list("p", { pageSize: 1 })).operations.map((state) => state.target)).toEqual([named]);
      await second.close();
    });

    it("gives one operation for 16 racing starts with one request id, and runs its workflow once", async () => {
      let nRuns = 0;
      const count = async ({ step }: WorkflowContext): Promise<Json> => step("count", async () => ++nRuns);
      const store = createMemoryStore();
      const driver = await open({ count }, { store });
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
      const first = await open({ echo }, { store });
      const request = { project: "p", kind: "echo", input: "x", requestId };
      const done = await untilDone(first, (await first.start(request)).name);
      expect(await first.start(request)).toEqual(done);
      await first.close();
      const second = await open({ echo }, { store });
      expect(await second.start(request)).toEqual(done);
      await second.close();
    });

    it("refuses a request id that was used for another input or kind, but not in another project", async () => {
      const gate = createGate();
      const hold = ({ step }: WorkflowContext): Promise<Json> => step("hold", () => gate.opened.then(() => null));
      const driver = await open({ hold, other: hold });
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

    it("joins what a request id was used for, while it runs, when it is done and after a restart, and starts nothing", async () => {
      const store = createMemoryStore();
      const gate = createGate();
      const hold = ({ step }: WorkflowContext): Promise<Json> => step("hold", () => gate.opened.then(() => null));
      const first = await open({ hold, other: hold }, { store });
      // A project of its own: one cluster may still run the operation that this request id means in another.
      const request = { project: "joined", kind: "hold", input: { a: 1, b: 2 }, requestId };
      expect(await first.join(request)).toBeUndefined();
      expect(await listKeys(store, "operations/joined/")).toEqual([]);
      const { name } = await first.start(request);
      expect(await first.join({ ...request, input: { b: 2, a: 1 } })).toMatchObject({
        name,
        outcome: { kind: "running" },
      });
      gate.open();
      const done = await untilDone(first, name);
      expect(await first.join(request)).toEqual(done);
      expect(await first.join({ ...request, project: "elsewhere" })).toBeUndefined();
      expect(await first.join({ project: "joined", kind: "hold", input: request.input })).toBeUndefined();
      await first.close();
      const second = await open({ hold, other: hold }, { store });
      expect(await second.join(request)).toEqual(done);
      await expect(second.join({ ...request, input: 3 })).rejects.toMatchObject({
        code: "CONFLICT",
        message: 'this request id was used for a "hold" operation with another input',
      });
      await expect(second.join({ ...request, kind: "other" })).rejects.toMatchObject({
        code: "CONFLICT",
        message: 'this request id was used for a "hold" operation, not for "other"',
      });
      await second.close();
    });

    it("keeps projects apart whose ids begin alike, and takes dots between other characters", async () => {
      const store = createMemoryStore();
      const echo = async (_: WorkflowContext, input: Json): Promise<Json> => input;
      const projects = ["a", "a.b", "a.b.c", "a-b", "a_b"];
      const first = await open({ echo }, { store });
      const names: string[] = [];
      for (const project of projects) {
        const { name } = await first.start({ project, kind: "echo", input: project, requestId });
        expect((await untilDone(first, name)).outcome).toEqual({ kind: "succeeded", response: project });
        names.push(name);
      }
      await first.close();
      const second = await open({ echo }, { store });
      for (const [i, project] of projects.entries()) {
        const { operations } = await second.list(project, { pageSize: 10 });
        expect(operations.map(({ name }) => name)).toEqual([names[i]]);
      }
      for (const project of ["a..b", "a.", ".a", ".index"]) {
        const refused = second.start({ project, kind: "echo", input: null });
        await expect(refused).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
      }
      await second.close();
    });

    it("refuses what cannot be run", async () => {
      const driver = await open({ echo: async () => null });
      const refused = [
        [{ project: "p", kind: "none", input: null }, 'there is no workflow "none"; there are: echo'],
        [{ project: "p", kind: "toString", input: null }, 'there is no workflow "toString"; there are: echo'],
        [
          { project: "../x", kind: "echo", input: null },
          'project "../x" is not 1 to 63 letters, digits, _, - or single dots between them',
        ],
        [
          { project: "p", kind: "echo", input: { at: Number.NaN } },
          "the input holds NaN at $.at; only JSON values survive a journal",
        ],
        [
          { project: "p", kind: "echo", input: null, requestId: "" },
          "the request id has 0 characters; 1 to 128 are allowed",
        ],
      ] as const;
      for (const [request, message] of refused) {
        await expect(driver.start(request)).rejects.toMatchObject({ code: "INVALID_ARGUMENT", message });
      }
      await driver.close();
    });

    it("answers nothing after close, and a second close is the first", async () => {
      const driver = await open({ addUp });
      await Promise.all([driver.close(), driver.close()]);
      const late = driver.start({ project: "p", kind: "addUp", input: { values: [] } });
      await expect(late).rejects.toMatchObject({ code: "UNREACHABLE", message: "this gateway is stopping" });
    });
  });
}
