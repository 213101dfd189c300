import { createMemoryStore, type ObjectStore } from "@parfocal/store";
import { createTemporalDriver } from "@parfocal/workflows";
import { describe, expect, it } from "vitest";
import { describeWorkflowContract } from "../contract/workflow-contract.ts";
import { startTemporalServer, whyNoTemporal } from "../lib/temporal-server.ts";

const reason = whyNoTemporal();

/** Drivers on one store share a queue, those on two stores do not. */
function createQueues(): (store: ObjectStore) => string {
  const queues = new Map<ObjectStore, string>();
  return (store) => {
    const queue = queues.get(store) ?? `contract-${queues.size}`;
    queues.set(store, queue);
    return queue;
  };
}

if (reason !== undefined)
  describe.skip(`workflow driver contract: temporal: ${reason}`, () => it("runs", () => expect.fail(reason)));
else {
  describeWorkflowContract("temporal", async () => {
    const server = await startTemporalServer();
    const queueOf = createQueues();
    const fast = { retryBaseDelayMs: 1, retryMaxDelayMs: 4, progressIntervalMs: 5, pollIntervalMs: 20 };
    return {
      open: (registry, options = {}) => {
        const store = options.store ?? createMemoryStore();
        const temporal = { address: server.address, namespace: "default", taskQueue: queueOf(store) };
        return createTemporalDriver({ ...fast, cancelGraceMs: 200, ...options, store, registry, temporal });
      },
      stop: () => server.stop(),
    };
  });
}
