import { DomainError } from "@parfocal/errors";
import { createMemoryStore, type ObjectStore } from "@parfocal/store";
import { describe, expect, it } from "vitest";
import { openTestDriver, untilDone } from "./testing/test-driver.ts";
import type { Json, OperationState, WorkflowContext, WorkflowDriver } from "./workflow.ts";

/** A third of the calls fail; of the writes that fail, half had been done: their answer is lost. */
function unreliable(store: ObjectStore): { readonly store: ObjectStore; count(): number } {
  let state = 12_345;
  let nFailed = 0;
  const random = (): number => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return state / 2_147_483_648;
  };
  const fail = (): DomainError => {
    nFailed++;
    return new DomainError(random() < 0.5 ? "UNREACHABLE" : "THROTTLED", "the store is away");
  };
  return {
    count: () => nFailed,
    store: {
      ...store,
      async get(...args) {
        if (random() < 0.33) throw fail();
        return await store.get(...args);
      },
      async put(...args) {
        if (random() >= 0.33) return await store.put(...args);
        if (random() < 0.5) await store.put(...args);
        throw fail();
      },
    },
  };
}

async function startUntilTaken(driver: WorkflowDriver, input: number): Promise<OperationState> {
  for (;;) {
    try {
      return await driver.start({ project: "p", kind: "job", input, requestId: `r${input}` });
    } catch (error) {
      if (!(error instanceof DomainError) || !["UNREACHABLE", "THROTTLED"].includes(error.code)) throw error;
    }
  }
}

describe("an operation whose stored state cannot be read", () => {
  it("is shown as failed, can be deleted, and keeps no other operation from being resumed", async () => {
    const store = createMemoryStore();
    const hold = (): Promise<Json> => new Promise(() => undefined);
    const first = await openTestDriver({ job: hold }, { store, closeGraceMs: 10 });
    const broken = await first.start({ project: "p", kind: "job", input: 1 });
    const sound = await first.start({ project: "p", kind: "job", input: 2 });
    while ((await first.get(sound.name)).progress.phase !== "started") await new Promise(setImmediate);
    await first.close();
    await store.put(`operations/p/${broken.name.split("/").at(-1)}/state.json`, new Uint8Array([123]));
    const second = await openTestDriver({ job: async () => "resumed" }, { store });
    expect((await untilDone(second, sound.name)).outcome).toEqual({ kind: "succeeded", response: "resumed" });
    const { operations } = await second.list("p", { pageSize: 10 });
    const message = "a journal object of 1 characters is not JSON";
    expect(operations.find(({ name }) => name === broken.name)?.outcome).toEqual({
      kind: "failed",
      code: "CORRUPT",
      message,
    });
    await second.delete(broken.name);
    expect((await second.list("p", { pageSize: 10 })).operations).toHaveLength(1);
    await second.close();
  });
});

describe("a store that fails every third call", () => {
  it("delays operations, and neither loses one nor runs a step twice", async () => {
    const store = createMemoryStore();
    const faulty = unreliable(store);
    // The start is not under test: it fails as a whole, so the store turns bad only after it.
    let isBad = false;
    const pick = (): ObjectStore => (isBad ? faulty.store : store);
    const turning = {
      ...store,
      get: ((...args) => pick().get(...args)) as ObjectStore["get"],
      put: ((...args) => pick().put(...args)) as ObjectStore["put"],
    };
    const bodies: string[] = [];
    const job = async ({ step }: WorkflowContext, input: Json): Promise<Json> => {
      const parts = ["a", "b", "c"].map((name) =>
        step(name, async ({ report }) => {
          report({ phase: name });
          return bodies.push(`${input} ${name}`);
        }),
      );
      await Promise.all(parts);
      return input;
    };
    const driver = await openTestDriver({ job }, { store: turning, leaseTtlMs: 2_000 });
    isBad = true;
    const inputs = Array.from({ length: 20 }, (_, i) => i);
    const started = await Promise.all(inputs.map((input) => startUntilTaken(driver, input)));
    while (
      (await driver.list("p", { pageSize: 100, isDone: false }).catch(() => ({ operations: [0] }))).operations.length >
      0
    ) {
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    expect(faulty.count()).toBeGreaterThan(50);
    isBad = false;
    for (const [i, { name }] of started.entries()) {
      expect((await untilDone(driver, name)).outcome).toEqual({ kind: "succeeded", response: i });
    }
    expect(bodies.toSorted()).toEqual(inputs.flatMap((i) => [`${i} a`, `${i} b`, `${i} c`]).toSorted());
    await driver.close();
  });
});

describe("a store whose credentials expire", () => {
  it("keeps what a step did until it can be written down, and the step is not repeated", async () => {
    const store = createMemoryStore();
    let nRefused = 0;
    let isExpired = false;
    const refusing: ObjectStore = {
      ...store,
      async put(key, ...rest) {
        if (isExpired && key.startsWith("operations/") && nRefused++ < 5)
          throw new DomainError("FORBIDDEN", "the store answered 403 ExpiredToken");
        return await store.put(key, ...rest);
      },
    };
    let nBodies = 0;
    const job = ({ step }: WorkflowContext): Promise<Json> =>
      step("a", async () => {
        isExpired = true;
        return ++nBodies;
      });
    const driver = await openTestDriver({ job }, { store: refusing });
    const { name } = await driver.start({ project: "p", kind: "job", input: 1 });
    expect((await untilDone(driver, name)).outcome).toEqual({ kind: "succeeded", response: 1 });
    expect(nRefused).toBeGreaterThanOrEqual(5);
    expect(nBodies).toBe(1);
    await driver.close();
  });
});
