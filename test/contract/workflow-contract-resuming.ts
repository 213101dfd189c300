import { DomainError } from "@parfocal/errors";
import { createMemoryStore, type ObjectStore } from "@parfocal/store";
import type { Json, OperationState, Workflow } from "@parfocal/workflows";
import { describe, expect, it } from "vitest";
import { createGate, listKeys, untilDone } from "../../libs/workflows/src/testing/test-driver.ts";
import type { OpenDriver } from "./workflow-contract.ts";

type AnyWorkflow = Workflow<never, Json>;

/** Steps a and b, then one that ends only with the driver. */
const abThenWait: AnyWorkflow = async ({ step, signal }) => {
  await step("a", async () => 1);
  await step("b", async () => 2);
  await step("wait", () => untilAborted(signal));
  return null;
};

function untilAborted(signal: AbortSignal): Promise<null> {
  return new Promise((_, reject) => {
    signal.addEventListener("abort", () => reject(new Error("stopped")), { once: true });
  });
}

/** Waits until `n` steps of an operation are in the journal. */
async function stepsInJournal(store: ObjectStore, name: string, n: number): Promise<void> {
  const prefix = `operations/p/${name.split("/").at(-1)}/steps/`;
  for (;;) {
    const keys = await listKeys(store, prefix);
    if (keys.filter((key) => /\/\d{6}[sc]-/.test(key)).length >= n) return;
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** What becomes of an operation whose process ended. */
export function describeResuming(open: OpenDriver): void {
  /** Runs `first` until it waits for the end of its driver, then `second` on what is left. */
  const restart = async (first: AnyWorkflow, second: AnyWorkflow | undefined): Promise<OperationState> => {
    const store = createMemoryStore();
    const before = await open({ job: first }, { store });
    const { name } = await before.start({ project: "p", kind: "job", input: null });
    await stepsInJournal(store, name, 2);
    await before.close();
    const after = await open(second === undefined ? {} : { job: second }, { store });
    const done = await untilDone(after, name);
    await after.close();
    return done;
  };

  describe("a workflow that is resumed", () => {
    it("gets journaled results without running their bodies and runs the step that was cut off again", async () => {
      const bodies: string[] = [];
      const done = await restart(abThenWait, async ({ step }) => {
        const a = await step("a", async () => bodies.push("a"));
        const b = await step("b", async () => bodies.push("b"));
        await step("wait", async () => bodies.push("wait"));
        return [a, b];
      });
      expect(done.outcome).toEqual({ kind: "succeeded", response: [1, 2] });
      expect(bodies).toEqual(["wait"]);
    });

    it("fails naming the step when its code changed meanwhile", async () => {
      const fresh = await restart(abThenWait, async ({ step }) => {
        await step("fresh", async () => 0);
        return null;
      });
      const message =
        'replay mismatch: the workflow asks for "fresh" as step 1, but another step was journaled there; its code changed while this operation ran';
      expect(fresh.outcome).toEqual({ kind: "failed", code: "INTERNAL", message });
      const moved = await restart(abThenWait, async ({ step }) => {
        await step("b", async () => 0).catch(() => undefined);
        return null;
      });
      const asksForB = expect.stringContaining('asks for "b" as step 1, but it was step 2') as string;
      expect(moved.outcome).toMatchObject({ code: "INTERNAL", message: asksForB });
      const shorter = await restart(abThenWait, async ({ step }) => step("a", async () => 0));
      const holdsB = expect.stringContaining('holds step "b", which the workflow no longer') as string;
      expect(shorter.outcome).toMatchObject({ code: "INTERNAL", message: holdsB });
    });

    it("may ask for concurrent steps in another order", async () => {
      const gate = createGate();
      const slowFirst: AnyWorkflow = async ({ step, signal }) => {
        const chain = async (name: string, wait: Promise<void>): Promise<void> => {
          await step(`${name}1`, () => wait.then(() => 1));
          if (name === "x") gate.open();
          await step(`${name}2`, () => untilAborted(signal));
        };
        await Promise.all([chain("x", Promise.resolve()), chain("y", gate.opened)]);
        return null;
      };
      const done = await restart(slowFirst, async ({ step }) => {
        const chain = async (name: string): Promise<Json> => [
          await step(`${name}1`, async () => 0),
          await step(`${name}2`, async () => 2),
        ];
        const [y, x] = await Promise.all([chain("x"), chain("y")]);
        return [x ?? null, y ?? null];
      });
      const pair = [1, 2];
      expect(done.outcome).toEqual({ kind: "succeeded", response: [pair, pair] });
    });

    it("meets a journaled failure again instead of running the step again", async () => {
      let nRuns = 0;
      const failing = async (): Promise<null> => {
        nRuns++;
        throw new DomainError("EMPTY_BAG", "0 tiles", { details: { tiles: "0" } });
      };
      const handling =
        (last: AnyWorkflow): AnyWorkflow =>
        async (context, input) => {
          const seen = await context
            .step("fails", failing)
            .catch(({ code, message, details }: DomainError) => ({ code, message, details }));
          await context.step("after", async () => null);
          await context.step("later", async () => null);
          await last(context, input);
          return seen ?? null;
        };
      const done = await restart(
        handling(({ step, signal }) => step("wait", () => untilAborted(signal))),
        handling(({ step }) => step("wait", async () => null)),
      );
      expect(nRuns).toBe(1);
      const response = { code: "EMPTY_BAG", message: "0 tiles", details: { tiles: "0" } };
      expect(done.outcome).toEqual({ kind: "succeeded", response });
    });

    it("ends as UNIMPLEMENTED when its kind is gone", async () => {
      const done = await restart(abThenWait, undefined);
      expect(done.outcome).toMatchObject({
        code: "UNIMPLEMENTED",
        message: 'this gateway has no workflow of kind "job"',
      });
    });

    it("keeps the result of a step that finishes while its driver closes", async () => {
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
        const b = await step("b", async () => {
          bodies.push("b");
          return "b";
        });
        return [a, b];
      };
      const first = await open({ job }, { store });
      const { name } = await first.start({ project: "p", kind: "job", input: null });
      await begun.opened;
      await first.close();
      expect(bodies).toEqual(["a"]);
      const second = await open({ job }, { store });
      expect((await untilDone(second, name)).outcome).toEqual({ kind: "succeeded", response: ["a", "b"] });
      expect(bodies).toEqual(["a", "b"]);
      await second.close();
    });
  });
}
