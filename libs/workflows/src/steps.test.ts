import { DomainError, type DomainErrorCode } from "@parfocal/errors";
import { createMemoryStore } from "@parfocal/store";
import { describe, expect, it } from "vitest";
import { listKeys, openTestDriver, untilDone } from "./testing/test-driver.ts";
import type { Json, OperationState, StepOptions, Workflow } from "./workflow.ts";

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

/** Fails with `codes` in turn, then succeeds; gives the tries it took. */
async function triesOf(
  codes: readonly DomainErrorCode[],
  options: StepOptions = {},
): Promise<OperationState["outcome"]> {
  const { outcome } = await runOnce(async ({ step }) =>
    step(
      "flaky",
      async ({ attempt }) => {
        const code = codes[attempt - 1];
        if (code !== undefined) throw new DomainError(code, `try ${attempt}`);
        return attempt;
      },
      options,
    ),
  );
  return outcome;
}

describe("a step", () => {
  it.each(["THROTTLED", "UNREACHABLE", "ENGINE_CRASHED", "STATE_LOST", "OUT_OF_MEMORY"] as const)(
    "is tried again after %s",
    async (code) => {
      expect(await triesOf([code])).toEqual({ kind: "succeeded", response: 2 });
    },
  );

  it("is tried three times unless it says otherwise, and then fails with the last error", async () => {
    const always = Array.from({ length: 10 }, () => "THROTTLED" as const);
    expect(await triesOf(always)).toEqual({ kind: "failed", code: "THROTTLED", message: "try 3" });
    expect(await triesOf(always, { maxAttempts: 1 })).toMatchObject({ message: "try 1" });
    expect(await triesOf(always, { maxAttempts: 11 })).toEqual({ kind: "succeeded", response: 11 });
  });

  it("is tried again only once after running out of memory", async () => {
    const outcome = await triesOf(["OUT_OF_MEMORY", "OUT_OF_MEMORY"], { maxAttempts: 5 });
    expect(outcome).toMatchObject({ code: "OUT_OF_MEMORY", message: "try 2" });
  });

  it("fails at once with an error that another try cannot help", async () => {
    expect(await triesOf(["SHAPE_MISMATCH"])).toEqual({ kind: "failed", code: "SHAPE_MISMATCH", message: "try 1" });
  });

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

  it("must have a name of its own", async () => {
    const { outcome } = await runOnce(async ({ step }) => {
      await step("same", async () => 1);
      await step("same", async () => 2).catch(() => undefined);
      return null;
    });
    expect(outcome).toEqual({
      kind: "failed",
      code: "INTERNAL",
      message: 'step "same" was asked for twice; names of steps are unique',
    });
  });

  it("must return what JSON carries", async () => {
    const { outcome } = await runOnce(async ({ step }) => step("nan", async () => ({ loss: [1, Number.NaN] })));
    const message = 'the result of step "nan" holds NaN at $.loss[1]; only JSON values survive a journal';
    expect(outcome).toEqual({ kind: "failed", code: "INTERNAL", message });
  });

  it("shows clients an incident id in place of an error that nobody foresaw", async () => {
    const { outcome } = await runOnce(async ({ step }) =>
      step("secret", () => Promise.reject(new Error("slide 4711"))),
    );
    expect(outcome).toMatchObject({ kind: "failed", code: "INTERNAL" });
    expect(outcome).toHaveProperty("message", expect.stringMatching(/^internal error, incident [0-9a-f]{16}$/));
  });

  it("that fails ends its siblings before the outcome is published", async () => {
    const events: string[] = [];
    const { outcome } = await runOnce(async ({ step }) => {
      await Promise.all([
        step("bad", () => Promise.reject(new DomainError("EMPTY_BAG", "0 tiles"))),
        step(
          "long",
          ({ signal }) =>
            new Promise<null>((_, reject) => {
              signal.addEventListener("abort", () => {
                setTimeout(() => {
                  events.push("long stopped");
                  reject(new Error("stopped"));
                }, 10);
              });
            }),
        ),
      ]);
      return null;
    });
    expect(outcome).toMatchObject({ code: "EMPTY_BAG" });
    expect(events).toEqual(["long stopped"]);
  });
});
