import { abortErrorFromSignal, DomainError } from "@parfocal/errors";
import type { DriverEnvironment } from "./driver-environment.ts";
import type { Journal } from "./journal.ts";
import type { OperationRef } from "./operation-keys.ts";
import type { OperationRecord } from "./operation-record.ts";
import { runStep, type StepScope } from "./step-runner.ts";
import type { Json, Workflow, WorkflowContext } from "./workflow.ts";

/** How a workflow function ended, or that it was no longer waited for. */
export type WorkflowEnd =
  | { readonly kind: "fulfilled"; readonly value: Json }
  | { readonly kind: "rejected"; readonly error: unknown };

/** One run of a workflow function. */
export interface WorkflowRun {
  readonly env: DriverEnvironment;
  readonly journal: Journal;
  readonly entry: OperationRef;
  readonly record: OperationRecord;
  readonly workflow: Workflow<never, Json>;
  readonly input: Json;
  readonly cancelled: AbortSignal;
}

/**
 * Runs the workflow function to its end and then waits for the steps that it left running.
 *
 * After a cancel both together get `cancelGraceMs`; what is not settled then is abandoned, its late result discarded.
 * Never rejects.
 */
export async function runWorkflow(run: WorkflowRun): Promise<WorkflowEnd> {
  const { env } = run;
  const controller = new AbortController();
  const unlink = linkSignals(controller, [run.cancelled, env.stopped]);
  const settled = new AbortController();
  const grace = graceAfter(env, controller.signal, settled.signal);
  const running = new Set<Promise<unknown>>();
  const context = createContext(run, controller.signal, running);
  try {
    const end = settle(async () => run.workflow(context, run.input as never));
    const abandoned = grace.then(
      (): WorkflowEnd => ({ kind: "rejected", error: abortErrorFromSignal(controller.signal) }),
    );
    const result = await Promise.race([end, abandoned]);
    // The first failure ends the siblings too: nothing of an operation may still run when its outcome is published.
    controller.abort(new DomainError("CANCELLED", "the workflow has ended"));
    await Promise.race([Promise.allSettled(running), grace]);
    return result;
  } finally {
    settled.abort();
    unlink();
  }
}

function createContext(run: WorkflowRun, signal: AbortSignal, running: Set<Promise<unknown>>): WorkflowContext {
  const { env, journal, record } = run;
  const scope: StepScope = {
    env,
    journal,
    signal,
    keepsLateResults: () => env.stopped.aborted && !record.state.isCancelRequested,
    report: (progress) => {
      if (!signal.aborted) record.report(progress);
    },
  };
  return {
    operationId: run.entry.id,
    project: run.entry.project,
    signal,
    step(name, body, options = {}) {
      const step = runStep(scope, { name, body, options });
      running.add(step);
      // Also keeps a step that the workflow never awaits from ending the process by an unhandled rejection.
      const forget = (): void => void running.delete(step);
      step.then(forget, forget);
      return step;
    },
  };
}

/** How `work` ended. Never rejects. */
export async function settle(work: () => Promise<Json>): Promise<WorkflowEnd> {
  try {
    return { kind: "fulfilled", value: await work() };
  } catch (error) {
    return { kind: "rejected", error };
  }
}

/** Resolves `cancelGraceMs` after `signal` has fired; never, when `settled` fires before. */
function graceAfter(env: DriverEnvironment, signal: AbortSignal, settled: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const start = (): void => {
      env.clock.delay(env.cancelGraceMs, settled).then(resolve, () => undefined);
    };
    if (signal.aborted) start();
    else signal.addEventListener("abort", start, { once: true });
  });
}

function linkSignals(controller: AbortController, signals: readonly AbortSignal[]): () => void {
  const follow = (): void => controller.abort(abortErrorFromSignal(signals.find(({ aborted }) => aborted)!));
  for (const signal of signals) {
    if (signal.aborted) controller.abort(abortErrorFromSignal(signal));
    else signal.addEventListener("abort", follow, { once: true });
  }
  return () => {
    for (const signal of signals) signal.removeEventListener("abort", follow);
  };
}
