import { createRng } from "@parfocal/metrics";
import { countParameters } from "@parfocal/models";
import { readCheckpoint, writeCheckpoint } from "./checkpoint.ts";
import { isExhausted } from "./early-stopping.ts";
import { isEngineLoss, MAX_RECOVERIES, withRetries } from "./engine-loss.ts";
import { createRunMaker, type RunMaker } from "./epoch-runs.ts";
import { finishTraining } from "./finish.ts";
import { fitStandardise } from "./fit-standardise.ts";
import { flattenWeights } from "./flat-layout.ts";
import { type EpochReport, stepEngineOf, type TrainDeps, type TrainEvent, type TrainJob } from "./job.ts";
import { planTraining, type TrainPlan } from "./plan.ts";
import { type EpochOptions, runEpoch, takeState } from "./run-epoch.ts";
import type { ChunkOptions } from "./run-in-chunks.ts";
import {
  assertStateFits,
  createResidentState,
  initialState,
  type TrainingProgress,
  type TrainingState,
} from "./training-state.ts";

/** Where nothing else is said. */
const CHECKPOINT_MS = 1_000;

/**
 * Trains a model on labelled bags, telling how it goes; the last event carries the trained model.
 *
 * The state lives in the engine; this process sends steps and reads losses, and never sees a feature. At the end of an
 * epoch the state is taken out, and written to `checkpointKey` if there is one: a training that is cut off goes on from
 * there when the same job is started again, and ends with the same bits as one that never stopped. Epochs of less than
 * `checkpointMs` share a checkpoint. When the engine is lost, the epochs since the last time are run again.
 *
 * @throws {DomainError} As `planTraining` for a job that is wrong; `NON_FINITE` naming epoch and step when it diverges;
 * `CANCELLED` when the signal fires; what engine and store throw.
 */
export async function* train(
  job: TrainJob,
  deps: TrainDeps,
  signal: AbortSignal,
): AsyncGenerator<TrainEvent, void, undefined> {
  const plan = await planTraining(job, deps, signal);
  const options: ChunkOptions = { engine: stepEngineOf(deps), nowMs: deps.nowMs, signal };
  const served: ChunkOptions = { ...options, engine: deps.engine };
  const resident = createResidentState(options.engine, deps.name, plan.optimiser.slotNames);
  const maker = createRunMaker(plan, resident);
  try {
    const start = await startState(plan, deps, options);
    yield splitEvent(plan, start);
    const end = yield* runEpochs(maker, start, deps, options);
    yield { kind: "done", trained: await withRetries(() => finishTraining(plan, end, served)) };
  } finally {
    // When this fails the engine process is gone, and the state with it.
    await resident.drop().catch(() => undefined);
    if (options.engine !== deps.engine) await dropScored(deps);
  }
}

/** Drops what scoring left in the engine that serves, where another one held the state. */
async function dropScored({ engine, name }: TrainDeps): Promise<void> {
  await createResidentState(engine, name, [])
    .drop()
    .catch(() => undefined);
}

async function startState(plan: TrainPlan, deps: TrainDeps, options: ChunkOptions): Promise<TrainingState> {
  const { checkpointKey } = plan.job;
  const found =
    checkpointKey === undefined
      ? null
      : await readCheckpoint(deps.store, checkpointKey, plan.jobDigest, options.signal);
  if (found !== null) {
    assertStateFits(found, plan.layout, plan.optimiser);
    return found;
  }
  const rng = createRng(plan.spec.seed).fork("initial weights");
  const given = (await plan.start?.read({ signal: options.signal })) ?? {};
  const fixed =
    plan.start === undefined
      ? await withRetries(() => fitStandardise(plan, options))
      : flattenWeights(plan.layout.fixed, given);
  return initialState(plan.model, plan.layout, plan.optimiser, { rng, fixed, given });
}

async function* runEpochs(
  maker: RunMaker,
  start: TrainingState,
  deps: TrainDeps,
  options: ChunkOptions,
): AsyncGenerator<TrainEvent, TrainingState, undefined> {
  let kept = start;
  let reached: TrainingProgress | undefined;
  let nFailures = 0;
  const epochOptions = { ...options, pace: { nRuns: 1 } };
  const clock = createEpochClock(deps, maker.plan.split.train.length);
  while (!isOver(maker.plan, kept)) {
    const before = kept;
    try {
      if (reached === undefined) await maker.resident.put(kept, options.signal);
      reached = yield* oneEpoch(maker, reached ?? kept, epochOptions);
      if (!isOver(maker.plan, reached) && !clock.isDue()) continue;
      kept = { ...kept, ...reached, ...(await takeState(maker.resident, reached.epoch, options.signal)) };
      nFailures = 0;
    } catch (error) {
      nFailures += 1;
      if (!isEngineLoss(error) || nFailures > MAX_RECOVERIES) throw error;
      reached = undefined;
      yield { kind: "recovered", epoch: kept.epoch, reason: error.code };
      continue;
    }
    yield* reportEpochs(maker.plan, { from: before.epoch, to: kept }, deps, { signal: options.signal, clock });
  }
  return kept;
}

async function* oneEpoch(
  maker: RunMaker,
  state: TrainingProgress,
  options: EpochOptions,
): AsyncGenerator<TrainEvent, TrainingProgress, undefined> {
  const shares = runEpoch(maker, state, options);
  const [epoch, nEpochs] = [state.epoch + 1, maker.plan.spec.epochs];
  for (;;) {
    const next = await shares.next();
    if (next.done === true) return next.value;
    if (next.value < 1) yield { kind: "progress", epoch, nEpochs, fraction: next.value };
  }
}

/** Tells of the epochs after `from`. The checkpoint comes first: an epoch that was told of is never run again. */
async function* reportEpochs(
  plan: TrainPlan,
  { from, to }: { readonly from: number; readonly to: TrainingState },
  deps: TrainDeps,
  { signal, clock }: { readonly signal: AbortSignal; readonly clock: EpochClock },
): AsyncGenerator<TrainEvent, void, undefined> {
  const { checkpointKey } = plan.job;
  if (checkpointKey !== undefined) {
    await writeCheckpoint(deps.store, checkpointKey, { state: to, jobDigest: plan.jobDigest }, signal);
  }
  const rateOf = clock.rest(to.epoch - from);
  for (const report of to.history.slice(from)) yield { kind: "epoch", ...report, ...rateOf(report) };
  if (checkpointKey !== undefined) yield { kind: "checkpoint", epoch: to.epoch };
}

function isOver({ spec }: TrainPlan, state: TrainingProgress): boolean {
  if (state.epoch >= spec.epochs) return true;
  return spec.earlyStopping !== undefined && isExhausted(spec.earlyStopping, state.selection, state.epoch);
}

function splitEvent({ split, model }: TrainPlan, start: TrainingState): TrainEvent {
  return {
    kind: "split",
    nTrain: split.train.length,
    nValidation: split.validation.length,
    nTest: split.test.length,
    nParameters: countParameters(model.parameters),
    resumedFrom: start.epoch,
  };
}

interface EpochClock {
  /** Whether the last rest is long enough ago; it is before the first. */
  isDue(): boolean;
  /** Notes a rest after `nEpochs` more epochs and gives their rates. */
  rest(nEpochs: number): (report: EpochReport) => { readonly etaS: number; readonly bagsPerS: number };
}

/** Rates of the epochs run here, the estimate from their mean. */
function createEpochClock({ checkpointMs = CHECKPOINT_MS, ...deps }: TrainDeps, nBags: number): EpochClock {
  const startedMs = deps.nowMs();
  let restedMs = Number.NEGATIVE_INFINITY;
  let nDone = 0;
  return {
    isDue: () => deps.nowMs() - restedMs >= checkpointMs,
    rest(nEpochs) {
      restedMs = deps.nowMs();
      nDone += nEpochs;
      const epochS = (restedMs - startedMs) / 1000 / nDone;
      const bagsPerS = nBags / Math.max(epochS, 1e-9);
      return (report) => ({ etaS: epochS * (report.nEpochs - report.epoch), bagsPerS });
    },
  };
}
