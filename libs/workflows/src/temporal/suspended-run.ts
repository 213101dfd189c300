import { setImmediate as nextTick } from "node:timers/promises";
import { abortErrorFromSignal, DomainError } from "@parfocal/errors";
import { createEventSource } from "../event-source.ts";
import { errorFromFailure } from "../failure.ts";
import type { StepPlace } from "../journal-entry.ts";
import { DEFAULT_MAX_ATTEMPTS } from "../retry-rule.ts";
import { createStepLedger, unaskedStep } from "../step-ledger.ts";
import type { StepRequest } from "../step-runner.ts";
import type { Json, Workflow, WorkflowContext } from "../workflow.ts";
import { settle, type WorkflowEnd } from "../workflow-run.ts";
import type { RecordedFailure, WantedStep } from "./operation-protocol.ts";

/** The end of a step with its result at hand. */
export type KnownEnd = WantedStep & ({ readonly value: Json } | { readonly failure: RecordedFailure });

/** A workflow function between turns: it has asked for steps and waits to be told their ends. */
export interface SuspendedRun {
  /** How often it was told ends. */
  readonly turn: number;
  /** Tells it ends, which begins the next turn; resolves when it waits again or has ended. */
  tell(ends: readonly KnownEnd[]): Promise<void>;
  /** The steps that it asked for in a turn. */
  askedIn(turn: number): WantedStep[];
  /** A step that it waits for. @throws {DomainError} `INTERNAL` when it waits for no such step. */
  waitsFor(name: string): StepRequest<Json>;
  /** How it ended; a broken rule of replay is an end too. */
  readonly end: WorkflowEnd | undefined;
  /** Fires the signal of its context. */
  abort(reason: DomainError): void;
}

/** What a run begins with. */
export interface RunStart {
  readonly workflow: Workflow<never, Json>;
  readonly project: string;
  readonly operationId: string;
  readonly input: Json;
  /** Where the steps stood whose ends will be told: another order now means that the code changed. */
  readonly places: readonly StepPlace[];
}

/** A step that was asked for. */
interface AskedStep {
  readonly wanted: WantedStep;
  readonly request: StepRequest<Json>;
  readonly turn: number;
  isTold: boolean;
  resolve(value: Json): void;
  reject(error: DomainError): void;
}

/** Runs a workflow function up to where it first waits. */
export async function beginRun(start: RunStart): Promise<SuspendedRun> {
  const ledger = createStepLedger(start.places);
  const asked = new Map<string, AskedStep>();
  const events = createEventSource();
  const controller = new AbortController();
  let turn = 0;
  let end: WorkflowEnd | undefined;

  const step: WorkflowContext["step"] = async (name, body, options = {}) => {
    events.wake();
    const { ordinal, isSequential } = ledger.enter(name);
    const { promise, resolve, reject } = Promise.withResolvers<Json>();
    const wanted = { name, ordinal, isSequential, maxAttempts: options.maxAttempts ?? DEFAULT_MAX_ATTEMPTS };
    asked.set(name, { wanted, request: { name, body, options }, turn, isTold: false, resolve, reject });
    return (await promise) as Awaited<ReturnType<typeof body>>; // What is told is what this very step returned.
  };
  const isWaiting = (): boolean => [...asked.values()].some(({ isTold }) => !isTold);
  const currentEnd = (): WorkflowEnd | undefined =>
    ledger.violation === undefined ? end : { kind: "rejected", error: ledger.violation };
  /** Between steps the function only computes, so after one tick it has asked for all that it will ask for. */
  const untilItWaits = async (): Promise<void> => {
    for (;;) {
      await nextTick();
      if (currentEnd() !== undefined || isWaiting()) return;
      await events.next(controller.signal);
      if (controller.signal.aborted) throw abortErrorFromSignal(controller.signal);
    }
  };

  const { project, operationId, input } = start;
  const context: WorkflowContext = { project, operationId, signal: controller.signal, step: keepQuiet(step) };
  void settle(async () => start.workflow(context, input as never)).then((settled) => {
    end = settled;
    events.wake();
  });
  await untilItWaits();

  return {
    get turn() {
      return turn;
    },
    get end() {
      return currentEnd();
    },
    async tell(ends) {
      turn++;
      for (const known of ends) {
        const step = asked.get(known.name);
        if (step === undefined) {
          // A function that failed before it asked has said why.
          if (end?.kind !== "rejected") ledger.breakRule(unaskedStep(known.name));
          continue;
        }
        step.isTold = true;
        ledger.leave();
        if ("failure" in known) step.reject(errorFromFailure(known.failure));
        else step.resolve(known.value);
      }
      await untilItWaits();
    },
    askedIn: (n) => [...asked.values()].filter((step) => step.turn === n).map(({ wanted }) => wanted),
    waitsFor(name) {
      const step = asked.get(name);
      if (step !== undefined && !step.isTold) return step.request;
      throw new DomainError("INTERNAL", `replay mismatch: the workflow does not wait for step "${name}"`);
    },
    abort: (reason) => controller.abort(reason),
  };
}

/** Keeps a step that the workflow never awaits from ending the process by an unhandled rejection. */
function keepQuiet(step: WorkflowContext["step"]): WorkflowContext["step"] {
  return (name, body, options) => {
    const result = step(name, body, options);
    result.catch(() => undefined);
    return result;
  };
}
