import { DomainError } from "@parfocal/errors";
import { createMemoryStore } from "@parfocal/store";
import { createEmbeddedDriver, waitForOperation } from "@parfocal/workflows";
import { expect, it } from "vitest";
import type { GatewayDeps } from "../deps.ts";
import { createBuildRegionsWorkflow } from "./build-regions.ts";

const BAG = "a".repeat(64);

/** The end of an operation on one slide, whose stage answers with these failures in turn; the last one again and again. */
async function outcomeOf(failures: readonly DomainError[]) {
  const store = createMemoryStore();
  let nCalls = 0;
  const ref = { key: "k", digest: BAG, sizeBytes: 1, n: 1, d: 1, hasCoords: true, dtype: "F32" };
  const deps = {
    store,
    bags: { get: async () => ({ ref, metadata: {} }) },
    pretrain: {
      // biome-ignore lint/correctness/useYield: a stream that fails before its first message.
      async *buildRegions() {
        const failure = failures[Math.min(nCalls++, failures.length - 1)];
        if (failure !== undefined) throw failure;
      },
    },
  } as unknown as Pick<GatewayDeps, "store" | "bags" | "pretrain">;
  const registry = { "build-regions": createBuildRegionsWorkflow(deps) };
  const driver = await createEmbeddedDriver({ store, registry, retryBaseDelayMs: 1, retryMaxDelayMs: 2 });
  try {
    const input = { parent: "projects/p", slides: [{ bags: [`projects/p/bags/${BAG}`] }] };
    const { name } = await driver.start({ project: "p", kind: "build-regions", input });
    const { outcome } = await waitForOperation(driver, name, 30_000, new AbortController().signal);
    return { outcome, nCalls };
  } finally {
    await driver.close();
  }
}

it("waits for a stage that has no room and does not hold it against the slide", async () => {
  const busy = new DomainError("RESOURCE_EXHAUSTED", "1 calls are running, the bound is 1");
  const misaligned = new DomainError("GEOMETRY_MISMATCH", "the levels miss each other by 0.4 tiles");
  const { outcome, nCalls } = await outcomeOf([busy, busy, misaligned]);
  expect(nCalls).toBe(3);
  const error = { code: "GEOMETRY_MISMATCH", message: misaligned.message };
  expect(outcome).toMatchObject({ kind: "succeeded", response: { slides: [{ error }] } });
});
