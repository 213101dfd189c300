import { DomainError } from "@parfocal/errors";
import { logitsOfGroup } from "./bag-groups.ts";
import { advanceSelection } from "./early-stopping.ts";
import type { RunMaker } from "./epoch-runs.ts";
import { floatsFromHostTensor } from "./host-tensor.ts";
import type { EpochReport } from "./job.ts";
import { type ChunkOptions, type ChunkPace, runInChunks } from "./run-in-chunks.ts";
import { runUpdates } from "./run-updates.ts";
import { advancePlateau } from "./schedule.ts";
import { type ScoredLogits, scoreName, scoreValidation, type ValidationScore } from "./score.ts";
import type { ResidentState, TrainingProgress, TrainingState } from "./training-state.ts";

/** What {@link runEpoch} needs. `pace` outlives the epoch, so that small ones need one message each. */
export type EpochOptions = ChunkOptions & { readonly pace: ChunkPace };

/**
 * Runs the epoch after `state` in the engine, where the vectors lie and stay: all updates, then the validation pass. Yields
 * the share of the bags that are done, returns how far it came.
 *
 * @throws {DomainError} `NON_FINITE` naming epoch and step when the loss or a weight is not finite; what the engine throws.
 */
export async function* runEpoch(
  maker: RunMaker,
  state: TrainingProgress,
  { pace, ...options }: EpochOptions,
): AsyncGenerator<number, TrainingProgress, undefined> {
  const epoch = state.epoch + 1;
  const trainLoss = yield* trainEpoch(maker, state, { ...options, pace });
  const score = await validate(maker, options);
  const update = state.update + maker.nUpdatesPerEpoch;
  const name = scoreName(maker.plan.model.config.task);
  const report = {
    epoch,
    nEpochs: maker.plan.spec.epochs,
    trainLoss,
    validationLoss: score?.loss ?? null,
    validationAuroc: name === "auroc" ? (score?.figure ?? null) : null,
    ...(score && { validationScore: { name, value: score.figure } }),
    learningRate: maker.learningRateAt(update - 1, state),
  };
  const next = nextProgress(maker, { ...state, epoch, update }, report, score);
  const isBest = maker.plan.spec.selection === "best" && next.selection.bestEpoch === epoch;
  return isBest ? { ...next, bestWeights: (await takeState(maker.resident, epoch, options.signal)).weights } : next;
}

/**
 * The vectors in the engine after `epoch`.
 *
 * @throws {DomainError} `NON_FINITE` naming the epoch when a weight is not finite; what the engine throws.
 */
export async function takeState(
  resident: ResidentState,
  epoch: number,
  signal: AbortSignal,
): Promise<Pick<TrainingState, "weights" | "slots">> {
  const taken = await resident.take(signal);
  assertFiniteWeights(taken.weights, epoch);
  return taken;
}

async function* trainEpoch(
  maker: RunMaker,
  state: TrainingProgress,
  options: ChunkOptions,
): AsyncGenerator<number, number, undefined> {
  const nSteps = maker.countBags(state);
  let nDone = 0;
  let sum = 0;
  for await (const results of runUpdates(maker, state, options)) {
    for (const { outputs } of results) {
      if (outputs.loss === undefined) continue;
      const loss = floatsFromHostTensor(outputs.loss, "loss")[0] ?? Number.NaN;
      nDone += 1;
      assertFiniteLoss(loss, { epoch: state.epoch + 1, step: nDone, nSteps });
      sum += loss;
    }
    yield nDone / nSteps;
  }
  return sum / maker.plan.groups.train.length;
}

async function validate(maker: RunMaker, options: ChunkOptions): Promise<ValidationScore | null> {
  const { groups, job, targets, model, spec } = maker.plan;
  if (groups.validation.length === 0) return null;
  const rows = groups.validation.flat();
  const logits: Float32Array[] = [];
  for await (const { results } of runInChunks(maker.logitRuns(rows), options)) {
    for (const { outputs } of results) {
      if (outputs.logits !== undefined) logits.push(floatsFromHostTensor(outputs.logits, "logits"));
    }
  }
  const { task } = model.config;
  const scored = groups.validation.map((group): ScoredLogits => {
    const ofGroup = logits.splice(0, group.length);
    const row = group[0] ?? -1;
    const [label, target] = [job.bags[row]?.label ?? 0, targets[row] ?? new Float32Array()];
    return { label, target, logits: logitsOfGroup(task, spec.groups, ofGroup) };
  });
  return scoreValidation(task, scored);
}

function nextProgress(
  { plan }: RunMaker,
  state: TrainingProgress,
  report: EpochReport,
  score: ValidationScore | null,
): TrainingProgress {
  const history = [...state.history, report];
  if (score === null) return { ...state, history };
  const plateau = advancePlateau(plan.spec.schedule, state.plateau, score.loss);
  const selection = advanceSelection(state.selection, { epoch: state.epoch, ...score }, plan.spec.selectionMetric);
  return { ...state, history, plateau, selection };
}

function assertFiniteLoss(loss: number, at: { epoch: number; step: number; nSteps: number }): void {
  if (Number.isFinite(loss)) return;
  const place = `epoch ${at.epoch}, step ${at.step} of ${at.nSteps}`;
  throw new DomainError("NON_FINITE", `the training loss is ${loss} at ${place}; lower the step size or standardise`, {
    details: { epoch: `${at.epoch}`, step: `${at.step}` },
  });
}

function assertFiniteWeights(weights: Float32Array, epoch: number): void {
  const bad = weights.findIndex((value) => !Number.isFinite(value));
  if (bad < 0) return;
  throw new DomainError(
    "NON_FINITE",
    `a weight is ${weights[bad]} after epoch ${epoch}; lower the step size or standardise`,
    {
      details: { epoch: `${epoch}` },
    },
  );
}
