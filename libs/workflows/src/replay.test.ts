import { DomainError } from "@parfocal/errors";
import { createMemoryStore, type ObjectStore } from "@parfocal/store";
import { describe, expect, it } from "vitest";
import { createGate, listKeys, openTestDriver, untilDone } from "./testing/test-driver.ts";
import type { Json, OperationState, Workflow } from "./workflow.ts";

type AnyWorkflow = Workflow<never, Json>;

/** Runs `first` until it waits for the end of its driver, then `second` on what is left. */
async function restart(
  first: AnyWorkflow,
  second: AnyWorkflow,
  store: ObjectStore = createMemoryStore(),
): Promise<OperationState> {
  const before = await openTestDriver({ job: first }, { store });
  const { name } = await before.start({ project: "p", kind: "job", input: null });
  await stepsInJournal(store, name, 2);
  await before.close();
  const after = await openTestDriver({ job: second }, { store });
  const done = await untilDone(after, name);
  await after.close();
  return done;
}

async function stepsInJournal(store: ObjectStore, name: string, n: number): Promise<string[]> {
  const prefix = `operations/p/${name.split("/").at(-1)}/steps/`;
  for (;;) {
    const keys = (await listKeys(store, prefix)).filter((key) => !key.endsWith("inherited.json"));
    if (keys.length >= n) return keys;
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

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

  it("fails naming the step when a step before the journaled ones is new", async () => {
    const done = await restart(abThenWait, async ({ step }) => {
      await step("fresh", async () => 0);
      return null;
    });
    expect(done.outcome).toEqual({
      kind: "failed",
      code: "INTERNAL",
      message:
        'replay mismatch: the workflow asks for "fresh" as step 1, but another step was journaled there; its code changed while this operation ran',
    });
  });

  it("fails naming the step when two steps changed their order, even when the workflow swallows the error", async () => {
    const done = await restart(abThenWait, async ({ step }) => {
      await step("b", async () => 0).catch(() => undefined);
      return null;
    });
    expect(done.outcome).toMatchObject({ kind: "failed", code: "INTERNAL" });
    expect(done.outcome).toHaveProperty(
      "message",
      expect.stringContaining('asks for "b" as step 1, but it was step 2'),
    );
  });

  it("fails naming the journaled step that it no longer asks for", async () => {
    const done = await restart(abThenWait, async ({ step }) => step("a", async () => 0));
    expect(done.outcome).toMatchObject({ kind: "failed", code: "INTERNAL" });
    expect(done.outcome).toHaveProperty(
      "message",
      expect.stringContaining('holds step "b", which the workflow no longer'),
    );
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
    expect(done.outcome).toEqual({
      kind: "succeeded",
      response: [
        [1, 2],
        [1, 2],
      ],
    });
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

  it("goes on above every sequence that was shown", async () => {
    const store = createMemoryStore();
    const reports: AnyWorkflow = async ({ step, signal }) => {
      await step("a", async ({ report }) => {
        for (let i = 0; i < 400; i++) report({ phase: "many", fraction: i / 400 });
        return null;
      });
      await step("b", async () => null);
      return await step("wait", () => untilAborted(signal));
    };
    const before = await openTestDriver({ job: reports }, { store, progressIntervalMs: 60_000 });
    const { name } = await before.start({ project: "p", kind: "job", input: null });
    await stepsInJournal(store, name, 2);
    const shown = (await before.get(name)).sequence;
    expect(shown).toBeGreaterThan(400);
    // What a kill leaves: none of the 400 reports was stored yet. Without its owner object a store is free.
    const left = createMemoryStore();
    for (const key of await listKeys(store, "operations/")) {
      if (key !== "operations/.owner") await left.put(key, (await store.get(key)).bytes);
    }
    await before.close();
    const after = await openTestDriver({ job: abThenWait }, { store: left });
    expect((await after.get(name)).sequence).toBeGreaterThan(shown);
    // Its epoch is 1 again; the steps of the other epoch 1 still count and the rest goes into a folder of its own.
    while ((await after.get(name)).progress.phase !== "resumed") await new Promise(setImmediate);
    const keys = await listKeys(left, `operations/p/${name.split("/").at(-1)}/steps/`);
    expect(new Set(keys.map((key) => key.split("/")[4])).size).toBe(2);
    await after.close();
  });

  it("ends as UNIMPLEMENTED when its kind is gone", async () => {
    const store = createMemoryStore();
    const before = await openTestDriver({ job: abThenWait }, { store });
    const { name } = await before.start({ project: "p", kind: "job", input: null });
    await stepsInJournal(store, name, 2);
    await before.close();
    const after = await openTestDriver({}, { store });
    const done = await untilDone(after, name);
    expect(done.outcome).toMatchObject({
      code: "UNIMPLEMENTED",
      message: 'this gateway has no workflow of kind "job"',
    });
    await after.close();
  });
});
