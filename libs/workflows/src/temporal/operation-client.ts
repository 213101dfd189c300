import { Client, Connection } from "@temporalio/client";
import {
  WorkflowExecutionAlreadyStartedError,
  type WorkflowIdReusePolicy,
  WorkflowNotFoundError,
} from "@temporalio/common";
import { type IndexEntry, type OperationRef, operationName } from "../operation-keys.ts";
import { OPERATION_WORKFLOW, type OperationInput, type OperationTimes } from "./operation-protocol.ts";
import { temporalError } from "./temporal-errors.ts";
import { sdkTls, type TemporalSettings } from "./temporal-settings.ts";

/** Operations as Temporal workflows, seen by those who ask for them. */
export interface OperationClient {
  /**
   * Sees that an operation runs: it does already, or it begins now. `closed`: it ran and ended. One of the same name that was
   * deleted since does not count.
   */
  ensureStarted(entry: IndexEntry): Promise<"running" | "closed">;
  /** Asks a running operation to stop. @returns whether it runs. */
  cancel(ref: OperationRef): Promise<boolean>;
  close(): Promise<void>;
}

/** Time for one call of the server, retries included, ms. */
const CALL_MS = 15_000;
/** Time in which a worker must answer a task: after it another one, after a crash, takes over. Never less than a turn's. */
const TASK_TIMEOUT_MS = 5_000;

/** Connects to the cluster. @throws {DomainError} `UNREACHABLE` when it does not answer. */
export async function connectOperationClient(
  settings: TemporalSettings,
  times: OperationTimes,
): Promise<OperationClient> {
  const { address, namespace, taskQueue } = settings;
  const tls = sdkTls(settings.tls);
  const connection = await orTemporalError(() =>
    Connection.connect({ address, ...(tls === undefined ? {} : { tls }) }),
  );
  const client = new Client({ connection, namespace });
  const call = <T>(work: () => Promise<T>): Promise<T> =>
    orTemporalError(() => connection.withDeadline(Date.now() + CALL_MS, work));
  const start = async (entry: IndexEntry, workflowIdReusePolicy: WorkflowIdReusePolicy): Promise<void> => {
    const { project, id, kind, createTimeMs } = entry;
    const input: OperationInput = { project, id, times };
    await client.workflow.start(OPERATION_WORKFLOW, {
      workflowId: operationName(entry),
      ...{ taskQueue, workflowIdReusePolicy, args: [input], memo: { kind, createTimeMs } },
      workflowTaskTimeout: TASK_TIMEOUT_MS,
      workflowIdConflictPolicy: "USE_EXISTING",
    });
  };
  return {
    ensureStarted: (entry) =>
      call(async () => {
        try {
          await start(entry, "REJECT_DUPLICATE");
        } catch (error) {
          if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
          const { memo } = await client.workflow.getHandle(operationName(entry)).describe();
          if (memo?.createTimeMs === entry.createTimeMs) return "closed";
          await start(entry, "ALLOW_DUPLICATE");
        }
        return "running";
      }),
    cancel: (ref) =>
      call(async () => {
        try {
          await client.workflow.getHandle(operationName(ref)).cancel();
          return true;
        } catch (error) {
          if (error instanceof WorkflowNotFoundError) return false; // Not begun, or done: the caller knows which.
          throw error;
        }
      }),
    close: () => connection.close(),
  };
}

async function orTemporalError<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw temporalError(error);
  }
}
