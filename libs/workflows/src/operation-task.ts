import { DomainError } from "@parfocal/errors";
import { jsonCopy } from "./canonical-json.ts";
import { whenReachable } from "./commit.ts";
import type { DriverEnvironment } from "./driver-environment.ts";
import { failedOutcome } from "./failure.ts";
import { type Journal, openJournal } from "./journal.ts";
import { type IndexEntry, openKey } from "./operation-keys.ts";
import type { OperationRecord } from "./operation-record.ts";
import { readRequest } from "./operation-request.ts";
import { isDone } from "./stored-state.ts";
import type { OperationState, WorkflowRegistry } from "./workflow.ts";
import { runWorkflow, type WorkflowEnd } from "./workflow-run.ts";

/** One operation that is not done, in this process. */
export interface OperationTask {
  readonly entry: IndexEntry;
  readonly record: OperationRecord;
  /** Runs to the outcome, or to the stop of the driver. Never rejects. */
  run(): Promise<void>;
  /** Asks for the end; durable on return once the operation has begun. */
  cancel(): Promise<void>;
}

/** A task for an operation that waits. */
export function createOperationTask(
  env: DriverEnvironment,
  registry: WorkflowRegistry,
  entry: IndexEntry,
  record: OperationRecord,
): OperationTask {
  const cancelled = new AbortController();
  return {
    entry,
    record,
    async run() {
      try {
        const outcome = await decideOutcome(env, registry, { entry, record, cancelled: cancelled.signal });
        if (outcome === undefined) return;
        await record.claim();
        await record.finish(outcome);
      } catch (error) {
        // Nothing is lost: without an outcome the next owner resumes from the journal.
        if (!env.stopped.aborted) env.logger.error({ err: error }, "an operation was left for the next start");
      }
      if (isDone(record.state)) await closeMarker(env, entry);
    },
    async cancel() {
      const durable = record.requestCancel();
      cancelled.abort(new DomainError("CANCELLED", "the operation was cancelled"));
      await durable;
    },
  };
}

interface TaskScope {
  readonly entry: IndexEntry;
  readonly record: OperationRecord;
  readonly cancelled: AbortSignal;
}

/** The outcome to publish; undefined when there is none to publish: the driver stopped, or it is there already. */
async function decideOutcome(
  env: DriverEnvironment,
  registry: WorkflowRegistry,
  task: TaskScope,
): Promise<OperationState["outcome"] | undefined> {
  const { entry, record } = task;
  try {
    const workflow = Object.hasOwn(registry, entry.kind) ? registry[entry.kind] : undefined;
    if (workflow === undefined) {
      throw new DomainError("UNIMPLEMENTED", `this gateway has no workflow of kind "${entry.kind}"`);
    }
    const { input } = await whenReachable(env, () => readRequest(env.store, entry));
    const journal = await whenReachable(env, () => openJournal(env, entry, record.journalOwner));
    await record.claim();
    if (isDone(record.state)) return undefined;
    if (record.state.isCancelRequested) return CANCELLED;
    const end = await runWorkflow({ env, journal, entry, record, workflow, input, cancelled: task.cancelled });
    if (env.stopped.aborted) return undefined;
    return record.state.isCancelRequested ? CANCELLED : await outcomeFromEnd(env, journal, end);
  } catch (error) {
    if (env.stopped.aborted) return undefined;
    return failed(env, error);
  }
}

const CANCELLED: OperationState["outcome"] = {
  kind: "failed",
  code: "CANCELLED",
  message: "the operation was cancelled",
};

async function outcomeFromEnd(
  env: DriverEnvironment,
  journal: Journal,
  end: WorkflowEnd,
): Promise<OperationState["outcome"]> {
  if (journal.violation !== undefined) return failed(env, journal.violation);
  if (end.kind === "rejected") return failed(env, end.error);
  const unused = await whenReachable(env, () => journal.unusedStep());
  if (unused !== undefined) return failed(env, unused);
  return { kind: "succeeded", response: jsonCopy(end.value, "the response of the workflow") };
}

function failed(env: DriverEnvironment, error: unknown): OperationState["outcome"] {
  return failedOutcome(error, env.logger, env.randomHex);
}

/** A marker that stays behind costs the next start one read; it is no reason to fail. */
async function closeMarker(env: DriverEnvironment, entry: IndexEntry): Promise<void> {
  await env.store.delete(openKey(entry)).catch((error: unknown) => {
    env.logger.warn({ err: error }, "the marker of a done operation could not be removed");
  });
}
