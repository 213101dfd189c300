import { DomainError } from "@parfocal/errors";
import { isEngineLoss, MAX_RECOVERIES } from "../engine-loss.ts";
import { stepEngineOf } from "../job.ts";
import type { ResidentState } from "../training-state.ts";
import { createBatchLoader } from "./batch-loader.ts";
import { createEnginePump } from "./engine-pump.ts";
import { addSums, emptySums, type LossSums } from "./loss-sums.ts";
import { measureValidation } from "./measure-validation.ts";
import type { PretrainDeps, PretrainEvent } from "./pretrain-job.ts";
import type { PretrainPlan } from "./pretrain-plan.ts";
import type { PretrainRuns } from "./pretrain-runs.ts";
import { type PretrainState, writePretrainCheckpoint } from "./pretrain-state.ts";
import { createReporter, isRowDue, type Reporter, reportAt } from "./reporter.ts";
import type { LearnedBatch, SegmentParts } from "./segment-parts.ts";
import { runSegment } from "./update-segment.ts";

/** What a pretraining works with. */
export interface PretrainRun {
  readonly plan: PretrainPlan;
  readonly deps: PretrainDeps;
  readonly signal: AbortSignal;
  readonly resident: ResidentState;
  readonly runs: PretrainRuns;
}

/**
 * Runs all updates that are left, from checkpoint to checkpoint; after a loss of the engine from the last one again.
 *
 * @throws {DomainError} `NON_FINITE`; an engine that is lost again and again; what loader, engine and store throw.
 */
export async function* runToEnd(
  run: PretrainRun,
  start: PretrainState,
): AsyncGenerator<PretrainEvent, PretrainState, undefined> {
  const { plan } = run;
  let state = start;
  for (let nFailures = 0; state.update < plan.length.nUpdates; ) {
    try {
      for await (const step of runFrom(run, state)) {
        if (step.kind !== "state") yield step;
        else [state, nFailures] = [step.state, 0];
      }
    } catch (error) {
      nFailures += 1;
      if (!isEngineLoss(error) || nFailures > MAX_RECOVERIES) throw error;
      yield { kind: "recovered", update: state.update, reason: error.code };
    }
  }
  return state;
}

/** An event, or the state at a checkpoint. */
type Step = PretrainEvent | { readonly kind: "state"; readonly state: PretrainState };

async function* runFrom(run: PretrainRun, start: PretrainState): AsyncGenerator<Step, void, undefined> {
  const { plan, deps, signal, resident, runs } = run;
  const { nUpdates, checkpointUpdates } = plan.length;
  await resident.put({ ...start, fixed: new Float32Array() }, signal);
  const pump = createEnginePump<LearnedBatch>(stepEngineOf(deps), { nowMs: deps.nowMs, signal });
  const loader = createBatchLoader(plan, start.update, signal);
  const reporter = createReporter(plan, deps, pump, start.update);
  try {
    for (let state = start; state.update < nUpdates; ) {
      const to = Math.min(nUpdates, (Math.floor(state.update / checkpointUpdates) + 1) * checkpointUpdates);
      state = yield* runToCheckpoint(run, { plan, runs, loader, pump }, reporter, { state, to });
    }
  } finally {
    await loader.close();
    await pump.settle();
  }
}

async function* runToCheckpoint(
  { plan, deps, signal, resident, runs }: PretrainRun,
  parts: SegmentParts,
  reporter: Reporter,
  { state, to }: { readonly state: PretrainState; readonly to: number },
): AsyncGenerator<Step, PretrainState, undefined> {
  const tally = createTally(plan, state);
  for await (const { update, sums } of runSegment(parts, state.update, to)) {
    tally.add(sums);
    if (update < to) tally.close(update);
    const report = reporter.tick(update, sums, update < to);
    if (report !== undefined) yield report;
  }
  parts.pump.pause();
  const taken = await resident.take(signal);
  assertFiniteWeights(taken.weights, to);
  const validation = await measureValidation(plan, runs, { engine: stepEngineOf(deps), signal });
  tally.add({ ...emptySums(plan.model.config.mixer.levels.length), validation });
  tally.close(to);
  const next = { ...taken, ...tally.current(), update: to };
  yield { kind: "state", state: next };
  const { checkpointKey } = plan.job;
  if (checkpointKey !== undefined) {
    await writePretrainCheckpoint(deps.store, checkpointKey, { state: next, jobDigest: plan.jobDigest }, signal);
  }
  yield reporter.atCheckpoint(to, validation);
  parts.pump.resume();
  if (checkpointKey !== undefined) yield { kind: "checkpoint", update: to };
  return next;
}

/** Keeps the history: sums of losses that become a row where one is due. */
function createTally(plan: PretrainPlan, state: PretrainState) {
  let { pending, history } = state;
  return {
    add(sums: LossSums): void {
      pending = addSums(pending, sums);
    },
    close(update: number): void {
      if (!isRowDue(plan.length, update)) return;
      history = [...history, reportAt(plan, pending, update)];
      pending = emptySums(plan.model.config.mixer.levels.length);
    },
    current: (): Pick<PretrainState, "pending" | "history"> => ({ pending, history }),
  };
}

function assertFiniteWeights(weights: Float32Array, update: number): void {
  const bad = weights.findIndex((value) => !Number.isFinite(value));
  if (bad < 0) return;
  throw new DomainError("NON_FINITE", `a weight is ${weights[bad]} after update ${update}; lower the step size`, {
    details: { update: `${update}` },
  });
}
