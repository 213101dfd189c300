import { DomainError } from "@parfocal/errors";
import type { OperationState, WorkflowDriver } from "./workflow.ts";

/** Longest wait: what a timer can hold. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1;

/**
 * The state of an operation as soon as it is done, or as it is after `timeoutMs`. Works with any driver.
 *
 * @throws {DomainError} `NOT_FOUND`; `CANCELLED` or `DEADLINE_EXCEEDED` when `signal` fires; `INVALID_ARGUMENT` for a
 *   negative or endless timeout.
 */
export async function waitForOperation(
  driver: Pick<WorkflowDriver, "get" | "watch">,
  name: string,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<OperationState> {
  if (!(timeoutMs >= 0 && timeoutMs <= MAX_TIMEOUT_MS)) {
    throw new DomainError("INVALID_ARGUMENT", `timeout ${timeoutMs} ms is not between 0 and ${MAX_TIMEOUT_MS}`);
  }
  let latest = await driver.get(name);
  const timer = AbortSignal.timeout(Math.ceil(timeoutMs));
  try {
    for await (const state of driver.watch(name, latest.sequence, AbortSignal.any([signal, timer]))) latest = state;
  } catch (error) {
    if (signal.aborted || !timer.aborted) throw error;
  }
  return latest;
}
