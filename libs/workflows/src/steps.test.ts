import { DomainError } from "@parfocal/errors";
import { createMemoryStore } from "@parfocal/store";
import { describe, expect, it } from "vitest";
import { listKeys, openTestDriver, untilDone } from "./testing/test-driver.ts";
import type { Json, OperationState, Workflow } from "./workflow.ts";

type AnyWorkflow = Workflow<never, Json>;

async function runOnce(job: AnyWorkflow, store = createMemoryStore()): Promise<OperationState> {
  const logged: unknown[] = [];
  const logger = { warn: () => undefined, error: (fields: unknown) => void logged.push(fields) };
  const driver = await openTestDriver({ job }, { store, logger });
  const { name } = await driver.start({ project: "p", kind: "job", input: null });
  const done = await untilDone(driver, name);
  await driver.close();
  return done;
}

describe("a step", () => {
  it("waits a random part of an exponential bound between tries", async () => {
    const pauses: number[] = [];
    const clock = {
      nowMs: () => 5,
      monotonicMs: () => performance.now(),
      delay: async (ms: number, signal?: AbortSignal) => {
        if (ms < 100) pauses.push(ms);
        else await new Promise<void>((resolve) => signal?.addEventListener("abort", () => resolve(), { once: true }));
      },
    };
    const codes = Array.from({ length: 5 }, () => "THROTTLED" as const);
    const job: AnyWorkflow = ({ step }) =>
      step(
        "flaky",
        async ({ attempt }) => {
          const code = codes[attempt - 1];
          if (code !== undefined) throw new DomainError(code, "no");
          return attempt;
        },
        { maxAttempts: 6 },
      );
    const driver = await openTestDriver(
      { job },
      { clock, random: () => 0.5, retryBaseDelayMs: 8, retryMaxDelayMs: 40 },
    );
    const { name } = await driver.start({ project: "p", kind: "job", input: null });
    await untilDone(driver, name);
    expect(pauses.slice(0, 5)).toEqual([4, 8, 16, 20, 20]);
    await driver.close();
  });

  it("leaves its result and the causes of its retries in the journal", async () => {
    const store = createMemoryStore();
    await runOnce(
      async ({ step }) =>
        step("Train fold 1/5", async ({ attempt }) => {
          if (attempt === 1) throw new DomainError("ENGINE_CRASHED", "signal 9");
          return { auroc: 0.9 };
        }),
      store,
    );
    const [key] = (await listKeys(store, "operations/p/")).filter((candidate) => candidate.includes("/steps/"));
    expect(key).toMatch(/steps\/1-[0-9a-f]{8}\/000001s-train-fold-1-5\.[0-9a-f]{16}\.json$/);
    const entry: unknown = JSON.parse(new TextDecoder().decode((await store.get(key ?? "")).bytes));
    expect(entry).toEqual({
      epoch: 1,
      name: "Train fold 1/5",
      retriedAfter: [{ code: "ENGINE_CRASHED", message: "signal 9" }],
      result: { kind: "succeeded", value: { auroc: 0.9 } },
    });
  });

  it("that fails for good gives the operation its code, message and details", async () => {
    const details = { field: "epochs", bound: "1" };
    const { outcome } = await runOnce(({ step }) =>
      step("check", async () => {
        throw new DomainError("INVALID_ARGUMENT", "epochs is 0, at least 1", { details });
      }),
    );
    expect(outcome).toEqual({ kind: "failed", code: "INVALID_ARGUMENT", message: "epochs is 0, at least 1", details });
  });
});
