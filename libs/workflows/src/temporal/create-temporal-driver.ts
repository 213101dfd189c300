import { DomainError } from "@parfocal/errors";
import type { WorkflowDriver } from "../workflow.ts";
import type { TemporalDriverOptions } from "./temporal-driver.ts";

/**
 * The driver for a Temporal cluster: any number of processes on one store, each asking for operations, running their steps, or
 * both. The SDK is an optional dependency and loaded here, so gateways with the embedded driver never pay for it.
 *
 * @throws {DomainError} `PRECONDITION_FAILED` when the SDK is not installed; `UNREACHABLE` when the cluster does not answer;
 *   `CONFLICT` when an embedded driver runs the operations of this store; whatever the store throws.
 */
export async function createTemporalDriver(options: TemporalDriverOptions): Promise<WorkflowDriver> {
  const { openTemporalDriver } = await loadDriver();
  return await openTemporalDriver(options);
}

async function loadDriver() {
  try {
    return await import("./temporal-driver.ts");
  } catch (cause) {
    const message = "the Temporal SDK cannot be loaded; it is an optional dependency of @parfocal/workflows";
    throw new DomainError("PRECONDITION_FAILED", message, { cause });
  }
}
