import { DomainError, type DomainErrorCode } from "@parfocal/errors";
import { createMemoryStore } from "@parfocal/store";
import type { Json, OperationState, StepOptions, Workflow } from "@parfocal/workflows";
import { describe, expect, it } from "vitest";
import { listKeys, untilDone } from "../../libs/workflows/src/testing/test-driver.ts";
import type { OpenDriver } from "./workflow-contract.ts";

type AnyWorkflow = Workflow<never, Json>;
type Outcome = OperationState["outcome"];

/** What a step is. */
export function describeSteps(open: OpenDriver): void {
  const runAll = async (
    jobs: Readonly<Record<string, AnyWorkflow>>,
    store = createMemoryStore(),
  ): Promise<Readonly<Record<string, Outcome>>> => {
    const driver = await open(jobs, { store });
    const runs = Object.keys(jobs).map(async (kind) => {
      const { name } = await driver.start({ project: "p", kind, input: null });
      return [kind, (await untilDone(driver, name)).outcome] as const;
    });
    const outcomes = Object.fromEntries(await Promise.all(runs));
    await driver.close();
    return outcomes;
  };
  /** Fails with `codes` in turn, then succeeds; gives the tries it took. */
  const flaky =
    (codes: readonly DomainErrorCode[], options: StepOptions = {}): AnyWorkflow =>
    ({ step }) =>
      step(
        "flaky",
        async ({ attempt }) => {
          const code = codes[attempt - 1];
          if (code !== undefined) throw new DomainError(code, `try ${attempt}`);
          return attempt;
        },
        options,
      );

  describe("a step", () => {
    it("is tried again after what may pass, and fails at once with an error that another try cannot help", async () => {
      const retryable = ["THROTTLED", "UNREACHABLE", "ENGINE_CRASHED", "STATE_LOST", "OUT_OF_MEMORY"] as const;
      const outcomes = await runAll({
        ...Object.fromEntries(retryable.map((code) => [code, flaky([code])])),
        SHAPE_MISMATCH: flaky(["SHAPE_MISMATCH"]),
      });
      for (const code of retryable) expect(outcomes[code]).toEqual({ kind: "succeeded", response: 2 });
      const final = { kind: "failed", code: "SHAPE_MISMATCH", message: "try 1" };
      expect(outcomes.SHAPE_MISMATCH).toEqual(final);
    });

    it("is tried three times unless it says otherwise, and only twice when memory is short", async () => {
      const always = Array.from({ length: 10 }, () => "THROTTLED" as const);
      const outcomes = await runAll({
        three: flaky(always),
        one: flaky(always, { maxAttempts: 1 }),
        eleven: flaky(always, { maxAttempts: 11 }),
        memory: flaky(["OUT_OF_MEMORY", "OUT_OF_MEMORY"], { maxAttempts: 5 }),
      });
      expect(outcomes.three).toEqual({ kind: "failed", code: "THROTTLED", message: "try 3" });
      expect(outcomes.one).toMatchObject({ message: "try 1" });
      expect(outcomes.eleven).toEqual({ kind: "succeeded", response: 11 });
      expect(outcomes.memory).toMatchObject({ code: "OUT_OF_MEMORY", message: "try 2" });
    });

    it("leaves its result and the causes of its retries in the journal", async () => {
      const store = createMemoryStore();
      const job: AnyWorkflow = ({ step }) =>
        step("Train fold 1/5", async ({ attempt }) => {
          if (attempt === 1) throw new DomainError("ENGINE_CRASHED", "signal 9");
          return { auroc: 0.9 };
        });
      await runAll({ job }, store);
      const keys = (await listKeys(store, "operations/p/")).filter((key) => key.includes("000001s-train-fold-1-5."));
      expect(keys).toHaveLength(1);
      const entry: unknown = JSON.parse(new TextDecoder().decode((await store.get(keys[0] ?? "")).bytes));
      expect(entry).toMatchObject({
        name: "Train fold 1/5",
        retriedAfter: [{ code: "ENGINE_CRASHED", message: "signal 9" }],
        result: { kind: "succeeded", value: { auroc: 0.9 } },
      });
    });

    it("must have a name of its own, and return what JSON carries", async () => {
      const outcomes = await runAll({
        twice: async ({ step }) => {
          await step("same", async () => 1);
          await step("same", async () => 2).catch(() => undefined);
          return null;
        },
        nan: ({ step }) => step("nan", async () => ({ loss: [1, Number.NaN] })),
        response: async () => [Number.NaN],
      });
      const twice = 'step "same" was asked for twice; names of steps are unique';
      expect(outcomes.twice).toEqual({ kind: "failed", code: "INTERNAL", message: twice });
      const nan = 'the result of step "nan" holds NaN at $.loss[1]; only JSON values survive a journal';
      expect(outcomes.nan).toEqual({ kind: "failed", code: "INTERNAL", message: nan });
      const response = "the response of the workflow holds NaN at $[0]; only JSON values survive a journal";
      expect(outcomes.response).toEqual({ kind: "failed", code: "INTERNAL", message: response });
    });

    it("shows clients an incident id in place of an error that nobody foresaw", async () => {
      const { job } = await runAll({
        job: ({ step }) => step("secret", () => Promise.reject(new Error("slide 4711"))),
      });
      expect(job).toMatchObject({ kind: "failed", code: "INTERNAL" });
      expect(job).toHaveProperty("message", expect.stringMatching(/^internal error, incident [0-9a-f]{16}$/));
    });

    it("that fails ends its siblings before the outcome is published", async () => {
      const events: string[] = [];
      const begun = Promise.withResolvers<void>();
      const { job } = await runAll({
        job: async ({ step }) => {
          await Promise.all([
            step("bad", () => begun.promise.then(() => Promise.reject(new DomainError("EMPTY_BAG", "0 tiles")))),
            step(
              "long",
              ({ signal }) =>
                new Promise<null>((_, reject) => {
                  begun.resolve();
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
        },
      });
      expect(job).toMatchObject({ code: "EMPTY_BAG" });
      expect(events).toEqual(["long stopped"]);
    });

    it("may run beside many others", async () => {
      const { job } = await runAll({
        job: async ({ step }) => {
          const parts = Array.from({ length: 60 }, (_, i) => step(`part ${i}`, async () => i));
          return (await Promise.all(parts)).reduce((a, b) => a + b, 0);
        },
      });
      expect(job).toEqual({ kind: "succeeded", response: 1770 });
    });
  });
}
