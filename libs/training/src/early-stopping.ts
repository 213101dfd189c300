import { type ConfigObject, createConfigReader } from "@parfocal/models";

/** What may be watched: the validation loss (smaller is better) or the figure of the task (larger is better), see `scoreName`. */
export const SELECTION_METRICS = ["loss", "task", "auroc"] as const;

/** One of {@link SELECTION_METRICS}; `auroc` is the figure of tasks that have it. */
export type SelectionMetric = (typeof SELECTION_METRICS)[number];

/** When to stop before the last epoch. */
export interface EarlyStoppingConfig {
  /** Epochs without improvement. */
  readonly patience: number;
  /** Never before this many epochs. */
  readonly minEpochs: number;
  readonly metric: SelectionMetric;
}

/** How the best epoch stands; JSON. Epochs count from 1. */
export interface SelectionState {
  /** Best value of the metric; null before the first. */
  readonly bestValue: number | null;
  readonly bestEpoch: number;
  /** Validation loss of the best epoch, which decides between equal figures. */
  readonly bestLoss: number | null;
  readonly nEpochsWithoutGain: number;
}

/** What the validation pass of one epoch gave. */
export interface EpochScore {
  readonly epoch: number;
  readonly loss: number;
  /** The figure of the task, larger is better; null when it is undefined, such as AUROC without a class. */
  readonly figure: number | null;
}

/** The state before the first epoch. */
export const INITIAL_SELECTION: SelectionState = {
  bestValue: null,
  bestEpoch: 0,
  bestLoss: null,
  nEpochsWithoutGain: 0,
};

/**
 * Reads early stopping. Defaults: patience 20, at least 1 epoch, the figure of the task.
 *
 * @throws {DomainError} `INVALID_ARGUMENT` naming the field.
 */
export function parseEarlyStopping(json: ConfigObject): EarlyStoppingConfig {
  const reader = createConfigReader(json, "earlyStopping");
  const config: EarlyStoppingConfig = {
    patience: reader.number("patience", { min: 1, max: 10_000, isInteger: true, fallback: 20 }),
    minEpochs: reader.number("minEpochs", { min: 0, max: 10_000, isInteger: true, fallback: 0 }),
    metric: reader.choice("metric", SELECTION_METRICS, "task"),
  };
  reader.assertNoOthers();
  return config;
}

/**
 * The selection after an epoch. A better figure wins, equal ones are decided by the lower loss (small validation parts
 * reach an AUROC of 1 early and go on improving); where the figure is undefined the epoch cannot win by it.
 */
export function advanceSelection(state: SelectionState, score: EpochScore, metric: SelectionMetric): SelectionState {
  const value = metric === "loss" ? score.loss : score.figure;
  if (value !== null && isBetter(state, value, score.loss, metric)) {
    return { bestValue: value, bestEpoch: score.epoch, bestLoss: score.loss, nEpochsWithoutGain: 0 };
  }
  return { ...state, nEpochsWithoutGain: state.nEpochsWithoutGain + 1 };
}

function isBetter(state: SelectionState, value: number, loss: number, metric: SelectionMetric): boolean {
  if (state.bestValue === null || state.bestLoss === null) return true;
  if (metric === "loss") return value < state.bestValue;
  return value > state.bestValue || (value === state.bestValue && loss < state.bestLoss);
}

/** Whether training ends after `epoch` (from 1). */
export function isExhausted(config: EarlyStoppingConfig, state: SelectionState, epoch: number): boolean {
  return epoch >= config.minEpochs && state.nEpochsWithoutGain >= config.patience;
}
