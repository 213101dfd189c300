import { setTimeout as sleep } from "node:timers/promises";
import { DomainError } from "@parfocal/errors";
import { Client, Connection } from "@temporalio/client";
import {
  WorkflowExecutionAlreadyStartedError,
  type WorkflowIdReusePolicy,
  WorkflowNotFoundError,
} from "@temporalio/common";
import { type IndexEntry, type OperationRef, operationName } from "../operation-keys.ts";
import { OPERATION_WORKFLOW, type OperationInput, type OperationTimes } from "./operation-protocol.ts";
import { statusOf, temporalError } from "./temporal-errors.ts";
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
/** Statuses of gRPC. */
const NOT_FOUND = 5;
const FORBIDDEN = 7;
/** Between two looks at an execution that is about to close, ms. */
const CLOSING_MS = 50;

/**
 * Connects to the cluster.
 *
 * @throws {DomainError} `UNREACHABLE` when it does not answer; `PRECONDITION_FAILED` when it has no such namespace.
 */
export async function connectOperationClient(
  settings: TemporalSettings,
  times: OperationTimes,
): Promise<OperationClient> {
  const { address, namespace, taskQueue } = settings;
  const tls = sdkTls(settings.tls);
  const connection = await orTemporalError(() =>
    Connection.connect({ address, ...(tls === undefined ? {} : { tls }) }),
  );
  await assertNamespace(connection, namespace);
  const client = new Client({ connection, namespace });
  const call = <T>(work: () => Promise<T>): Promise<T> =>
    orTemporalError(() => connection.withDeadline(Date.now() + CALL_MS, work));
  const start = async (entry: IndexEntry, workflowIdReusePolicy: WorkflowIdReusePolicy = "REJECT_DUPLICATE") => {
    const { project, id, kind, createTimeMs } = entry;
    const input: OperationInput = { project, id, times };
    await client.workflow.start(OPERATION_WORKFLOW, {
      workflowId: operationName(entry),
      ...{ taskQueue, workflowIdReusePolicy, args: [input], memo: { kind, createTimeMs } },
      workflowTaskTimeout: TASK_TIMEOUT_MS,
    });
  };
  return {
    ensureStarted: (entry) =>
      call(async () => {
        for (;;) {
          try {
            await start(entry);
            return "running";
          } catch (error) {
            if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
          }
          const { status, memo } = await client.workflow.getHandle(operationName(entry)).describe();
          const isRunning = status.name === "RUNNING";
          if (memo?.createTimeMs === entry.createTimeMs) return isRunning ? "running" : "closed";
          // One of the same name that was deleted: it has published its outcome and is about to close, or has.
          await (isRunning ? sleep(CLOSING_MS) : start(entry, "ALLOW_DUPLICATE").catch(whenStartedMeanwhile));
        }
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

/** A worker on a namespace that is not there would only fail later, and say less. */
async function assertNamespace(connection: Connection, namespace: string): Promise<void> {
  try {
    await connection.withDeadline(Date.now() + CALL_MS, () =>
      connection.workflowService.describeNamespace({ namespace }),
    );
  } catch (error) {
    const status = statusOf(error);
    if (status === FORBIDDEN) return; // Who may use a namespace need not be allowed to look at it.
    await connection.close();
    if (status !== NOT_FOUND) throw temporalError(error);
    throw new DomainError("PRECONDITION_FAILED", `the Temporal cluster has no namespace "${namespace}"`);
  }
}

/** Another gateway was faster: the next look sees what it started. */
function whenStartedMeanwhile(error: unknown): void {
  if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
}

async function orTemporalError<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw temporalError(error);
  }
}
