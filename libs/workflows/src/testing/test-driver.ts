import { createMemoryStore, type ObjectStore } from "@parfocal/store";
import { createEmbeddedDriver, type EmbeddedDriverOptions } from "../embedded-driver.ts";
import { isDone } from "../stored-state.ts";
import { waitForOperation } from "../wait-for-operation.ts";
import type { OperationState, WorkflowDriver, WorkflowRegistry } from "../workflow.ts";

/** A signal that never fires. */
export const NEVER = new AbortController().signal;

/** A driver with short pauses on a store of its own, unless `options` say otherwise. */
export function openTestDriver(
  registry: WorkflowRegistry,
  options: Partial<EmbeddedDriverOptions> = {},
): Promise<WorkflowDriver> {
  const store: ObjectStore = options.store ?? createMemoryStore();
  const fast = {
    retryBaseDelayMs: 1,
    retryMaxDelayMs: 4,
    progressIntervalMs: 5,
    cancelGraceMs: 200,
    closeGraceMs: 500,
  };
  return createEmbeddedDriver({ ...fast, ...options, store, registry });
}

/** The state of the operation once it is done. */
export async function untilDone(driver: WorkflowDriver, name: string): Promise<OperationState> {
  const state = await waitForOperation(driver, name, 30_000, NEVER);
  if (!isDone(state)) throw new Error(`${name} is not done: ${JSON.stringify(state)}`);
  return state;
}

/** A promise with its resolver: lets a test hold a step at a place. */
export function createGate(): { readonly opened: Promise<void>; open(): void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { opened: promise, open: resolve };
}

/** Every key under `prefix`. */
export async function listKeys(store: ObjectStore, prefix: string): Promise<string[]> {
  const { objects } = await store.list(prefix);
  return objects.map(({ key }) => key);
}
