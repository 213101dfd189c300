import { createMemoryStore, type ObjectStore } from "@parfocal/store";
import {
  createTemporalDriver,
  type Json,
  type TemporalDriverOptions,
  type Workflow,
  type WorkflowRegistry,
} from "@parfocal/workflows";
import { Client, Connection } from "@temporalio/client";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createGate, NEVER, openTestDriver, untilDone } from "../../libs/workflows/src/testing/test-driver.ts";
import { startTemporalServer, type TemporalServer, whyNoTemporal } from "../lib/temporal-server.ts";

type AnyWorkflow = Workflow<never, Json>;
const reason = whyNoTemporal();

describe.skipIf(reason !== undefined)(
  `several processes on a Temporal cluster${reason === undefined ? "" : `: ${reason}`}`,
  () => {
    let server: TemporalServer;
    let nQueues = 0;
    beforeAll(async () => {
      server = await startTemporalServer({ settings: { "limit.historyCount.suggestContinueAsNew": 60 } });
    });
    afterAll(async () => {
      await server?.stop();
    });

    /** Drivers on one store and one queue, as so many processes would open them. */
    const createOpener = (store: ObjectStore = createMemoryStore()) => {
      const taskQueue = `cluster-${nQueues++}`;
      return (registry: WorkflowRegistry, options: Partial<TemporalDriverOptions> = {}) => {
        const temporal = { address: server.address, namespace: "default", taskQueue };
        const fast = { retryBaseDelayMs: 1, progressIntervalMs: 5, pollIntervalMs: 20, reconcileIntervalMs: 200 };
        return createTemporalDriver({ ...fast, closeGraceMs: 500, ...options, store, registry, temporal });
      };
    };

    it("share the steps of one operation, which a third one asks for, watches and cancels", async () => {
      const open = createOpener();
      const ran: string[] = [];
      const both = createGate();
      const as =
        (who: string): AnyWorkflow =>
        async ({ step }) => {
          const parts = [0, 1].map((i) =>
            step(`part ${i}`, async ({ report }) => {
              report({ phase: `by ${who}` });
              ran.push(who);
              if (ran.length === 2) both.open();
              await both.opened;
              return i;
            }),
          );
          const sum = (await Promise.all(parts)).reduce((a, b) => a + b, 0);
          await step("wait", ({ signal }) => untilAborted(signal));
          return sum;
        };
      const workers = await Promise.all([
        open({ job: as("a") }, { maxConcurrentSteps: 1 }),
        open({ job: as("b") }, { maxConcurrentSteps: 1 }),
      ]);
      const client = await open({ job: as("client") }, { runsWorker: false });
      const { name } = await client.start({ project: "p", kind: "job", input: null });
      await both.opened;
      expect(ran.toSorted()).toEqual(["a", "b"]);
      for await (const { progress } of client.watch(name, 0, NEVER)) if (progress.phase.startsWith("by ")) break;
      const cancelledMs = performance.now();
      await client.cancel(name);
      expect((await untilDone(client, name)).outcome).toMatchObject({ code: "CANCELLED" });
      expect(performance.now() - cancelledMs).toBeLessThan(10_000);
      expect(await workers[0]?.get(name)).toEqual(await client.get(name));
      await Promise.all([...workers, client].map((driver) => driver.close()));
    });

    it("go on in a new history when the old one grew long, and keep inputs and results out of it", async () => {
      const open = createOpener();
      const job: AnyWorkflow = async ({ step }, secret: string) => {
        let text = "";
        for (let i = 0; i < 30; i++) text = await step(`letter ${i}`, async () => `${secret} ${i}`);
        return text;
      };
      const driver = await open({ job });
      const { name } = await driver.start({ project: "p", kind: "job", input: "patient-4711" });
      expect((await untilDone(driver, name)).outcome).toEqual({ kind: "succeeded", response: "patient-4711 29" });
      const connection = await Connection.connect({ address: server.address });
      const history = await new Client({ connection }).workflow.getHandle(name).fetchHistory();
      const begun = history.events?.[0]?.workflowExecutionStartedEventAttributes;
      expect(begun?.continuedExecutionRunId).toMatch(/^[0-9a-f-]{36}$/);
      expect(textOf(history)).toContain("letter 29");
      // All of it: four digits come up in ids and times of a history now and then.
      expect(textOf(history)).not.toContain("patient-4711");
      await connection.close();
      await driver.close();
    });

    it("refuse a namespace that the cluster does not have", async () => {
      const temporal = { address: server.address, namespace: "nowhere", taskQueue: "none" };
      const opening = createTemporalDriver({ store: createMemoryStore(), registry: {}, temporal });
      const message = 'the Temporal cluster has no namespace "nowhere"';
      await expect(opening).rejects.toMatchObject({ code: "PRECONDITION_FAILED", message });
    });

    it("begin an operation again that the cluster has forgotten", async () => {
      const own = await startTemporalServer();
      const store = createMemoryStore();
      const port = Number(own.address.split(":")[1]);
      const gate = createGate();
      let nBegun = 0;
      const job: AnyWorkflow = ({ step }) =>
        step("hold", async () => {
          nBegun++;
          await gate.opened;
          return "kept";
        });
      const temporal = { address: own.address, namespace: "default", taskQueue: "forgotten" };
      const driver = await createTemporalDriver({ store, registry: { job }, temporal, reconcileIntervalMs: 500 });
      const { name } = await driver.start({ project: "p", kind: "job", input: null });
      while (nBegun < 1) await new Promise((resolve) => setTimeout(resolve, 20));
      await own.stop();
      const fresh = await startTemporalServer({ port });
      while (nBegun < 2) await new Promise((resolve) => setTimeout(resolve, 20));
      gate.open();
      expect((await untilDone(driver, name)).outcome).toEqual({ kind: "succeeded", response: "kept" });
      await driver.close();
      await fresh.stop();
    });

    it("give an outcome to an operation that somebody terminated in the cluster", async () => {
      const open = createOpener();
      const begun = createGate();
      const job: AnyWorkflow = ({ step }) =>
        step("hold", ({ signal }) => {
          begun.open();
          return untilAborted(signal);
        });
      const driver = await open({ job });
      const { name } = await driver.start({ project: "p", kind: "job", input: null });
      await begun.opened;
      const connection = await Connection.connect({ address: server.address });
      await new Client({ connection }).workflow.getHandle(name).terminate();
      await connection.close();
      const message = "the Temporal workflow of this operation was ended by hand";
      expect((await untilDone(driver, name)).outcome).toEqual({ kind: "failed", code: "INTERNAL", message });
      await driver.close();
    });

    it("take up what an embedded driver left, and stay away while it runs", async () => {
      const store = createMemoryStore();
      const open = createOpener(store);
      const begun = createGate();
      const wait: AnyWorkflow = ({ step }) =>
        step("wait", ({ signal }) => {
          begun.open();
          return untilAborted(signal);
        });
      const done: AnyWorkflow = ({ step }) => step("wait", async () => "by the cluster");
      const embedded = await openTestDriver({ wait, echo: async () => 1 }, { store });
      const finished = await untilDone(embedded, (await embedded.start({ project: "p", kind: "echo", input: 0 })).name);
      const { name } = await embedded.start({ project: "p", kind: "wait", input: 1 });
      await begun.opened;
      await expect(open({ wait: done })).rejects.toMatchObject({ code: "CONFLICT" });
      await embedded.close();
      const driver = await open({ wait: done });
      expect(await driver.get(finished.name)).toEqual(finished);
      const response = "by the cluster";
      expect((await untilDone(driver, name)).outcome).toEqual({ kind: "succeeded", response });
      expect((await driver.list("p", { pageSize: 5, isDone: true })).operations).toHaveLength(2);
      await driver.close();
      const back = await openTestDriver({}, { store });
      expect((await back.get(name)).outcome).toEqual({ kind: "succeeded", response });
      await back.close();
    });
  },
);

it("a cluster that does not answer refuses the start", async () => {
  const temporal = { address: "127.0.0.1:9", namespace: "default", taskQueue: "none" };
  const opening = createTemporalDriver({ store: createMemoryStore(), registry: {}, temporal });
  await expect(opening).rejects.toMatchObject({ code: "UNREACHABLE", message: "the Temporal server did not answer" });
});

function untilAborted(signal: AbortSignal): Promise<null> {
  return new Promise((_, reject) => signal.addEventListener("abort", reject, { once: true }));
}

/** A history with its payloads as text. */
function textOf(history: object): string {
  return JSON.stringify(history).replace(/"data":"([^"]*)"/g, (_, base64: string) =>
    Buffer.from(base64, "base64").toString(),
  );
}
