import { DomainError } from "@parfocal/errors";
import { buildModel } from "@parfocal/models";
import { isEngineLoss, MAX_RECOVERIES } from "../engine-loss.ts";
import { unflattenWeights } from "../flat-layout.ts";
import { createResidentState, type ResidentState } from "../training-state.ts";
import { createBatchLoader } from "./batch-loader.ts";
import { createEnginePump } from "./engine-pump.ts";
import { addSums, emptySums, type LossSums } from "./loss-sums.ts";
import { measureValidation } from "./measure-validation.ts";
import type { PretrainDeps, PretrainEvent, PretrainedMixer, PretrainJob } from "./pretrain-job.ts";
import { type PretrainPlan, planPretraining } from "./pretrain-plan.ts";
import { createPretrainRuns, type PretrainRuns } from "./pretrain-runs.ts";
import {
  initialPretrainState,
  type PretrainState,
  readPretrainCheckpoint,
  writePretrainCheckpoint,
} from "./pretrain-state.ts";
import { createReporter, isRowDue, type Reporter, reportAt } from "./reporter.ts";
import type { LearnedBatch, SegmentParts } from "./segment-parts.ts";
import { runSegment } from "./update-segment.ts";

/**
 * Pretrains a region mixer, telling how it goes; the last event carries the encoder.
 *
 * The state lives in the engine; regions are read, cropped, turned and masked here, ahead of it. At checkpoints the state is
 * taken out, and written to `checkpointKey` if there is one: a pretraining that is cut off goes on from there when the same
 * job is started again, and ends with the same bits as one that never stopped. When the engine is lost, the updates since
 * the last checkpoint are run again.
 *
 * Source: Zimmermann et al. 2026, masked embedding modelling and its contrastive form.
 *
 * @throws {DomainError} As `planPretraining` for a job that is wrong; `NON_FINITE` naming update and regions when it diverges;
 * `PRECONDITION_FAILED` when the checkpoint is another job's; `CANCELLED` when the signal fires; what engine and store throw.
 */
export async function* pretrain(
  job: PretrainJob,
  deps: PretrainDeps,
  signal: AbortSignal,
): AsyncGenerator<PretrainEvent, void, undefined> {
  const plan = await planPretraining(job, deps, signal);
  const resident = createResidentState(deps.engine, deps.name, plan.optimiser.slotNames);
  try {
    const start = (await findCheckpoint(plan, deps, signal)) ?? initialPretrainState(plan);
    yield {
      kind: "regions",
      nTrain: plan.train.nRegions,
      nValidation: plan.validation.nRegions,
      nParameters: plan.layout.nTrainable,
      nUpdates: plan.length.nUpdates,
      resumedFrom: start.update,
    };
    const run: PretrainRun = { plan, deps, signal, resident, runs: createPretrainRuns(plan, resident) };
    yield { kind: "done", pretrained: finish(plan, yield* runToEnd(run, start)) };
  } finally {
    // When this fails the engine process is gone, and the state with it.
    await resident.drop().catch(() => undefined);
  }
}

/** What a pretraining works with. */
interface PretrainRun {
  readonly plan: PretrainPlan;
  readonly deps: PretrainDeps;
  readonly signal: AbortSignal;
  readonly resident: ResidentState;
  readonly runs: PretrainRuns;
}

async function findCheckpoint(plan: PretrainPlan, deps: PretrainDeps, signal: AbortSignal) {
  const { checkpointKey } = plan.job;
  return checkpointKey === undefined ? null : readPretrainCheckpoint(deps.store, checkpointKey, plan, signal);
}

/** From checkpoint to checkpoint; after a loss of the engine from the last one again. */
async function* runToEnd(
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
  const pump = createEnginePump<LearnedBatch>(deps.engine, { nowMs: deps.nowMs, signal });
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
  const validation = await measureValidation(plan, runs, { engine: deps.engine, signal });
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

/** The encoder as a model of its own, without a head. */
function finish(plan: PretrainPlan, state: PretrainState): PretrainedMixer {
  const { dIn, mixer } = plan.model.config;
  const model = buildModel({ dIn, reembed: mixer, head: { kind: "none" }, task: { kind: "embedding", classes: [] } });
  const all = unflattenWeights(plan.layout.trainable, state.weights);
  const own = model.parameters.map(({ name }) => [name, all[name] ?? new Float32Array()] as const);
  const { spec, jobDigest, dataDigest, source } = plan;
  const { history, update: nUpdates } = state;
  return { model, spec, jobDigest, dataDigest, source, weights: Object.fromEntries(own), nUpdates, history };
}
