import { type ConfigObject, createConfigReader } from "@parfocal/models";

/** When to stop before the last epoch. */
export interface EarlyStoppingConfig {
  /** Epochs without improvement. */
  readonly patience: number;
  /** Never before this many epochs. */
  readonly minEpochs: number;
  /** Validation loss (smaller is better) or AUROC (larger is better). */
  readonly metric: "loss" | "auroc";
}

/** How the best epoch stands; JSON. Epochs count from 1. */
export interface SelectionState {
  /** Best value of the metric; null before the first. */
  readonly bestValue: number | null;
  readonly bestEpoch: number;
  /** Validation loss of the best epoch, which decides between equal AUROCs. */
  readonly bestLoss: number | null;
  readonly nEpochsWithoutGain: number;
}

/** What the validation pass of one epoch gave. */
export interface EpochScore {
  readonly epoch: number;
  readonly loss: number;
  /** Null when the validation part lacks a class. */
  readonly auroc: number | null;
}

/** The state before the first epoch. */
export const INITIAL_SELECTION: SelectionState = {
  bestValue: null,
  bestEpoch: 0,
  bestLoss: null,
  nEpochsWithoutGain: 0,
};

/**
 * Reads early stopping. Defaults: patience 20, at least 1 epoch, AUROC.
 *
 * @throws {DomainError} `INVALID_ARGUMENT` naming the field.
 */
export function parseEarlyStopping(json: ConfigObject): EarlyStoppingConfig {
  const reader = createConfigReader(json, "earlyStopping");
  const config: EarlyStoppingConfig = {
    patience: reader.number("patience", { min: 1, max: 10_000, isInteger: true, fallback: 20 }),
    minEpochs: reader.number("minEpochs", { min: 0, max: 10_000, isInteger: true, fallback: 0 }),
    metric: reader.choice("metric", ["loss", "auroc"], "auroc"),
  };
  reader.assertNoOthers();
  return config;
}

/**
 * The selection after an epoch. A better AUROC wins, equal AUROCs are decided by the lower loss (small validation parts
 * reach 1 early and go on improving); where AUROC is undefined the epoch cannot win by it.
 */
export function advanceSelection(state: SelectionState, score: EpochScore, metric: "loss" | "auroc"): SelectionState {
  const value = metric === "loss" ? score.loss : score.auroc;
  if (value !== null && isBetter(state, value, score.loss, metric)) {
    return { bestValue: value, bestEpoch: score.epoch, bestLoss: score.loss, nEpochsWithoutGain: 0 };
  }
  return { ...state, nEpochsWithoutGain: state.nEpochsWithoutGain + 1 };
}

function isBetter(state: SelectionState, value: number, loss: number, metric: "loss" | "auroc"): boolean {
  if (state.bestValue === null || state.bestLoss === null) return true;
  if (metric === "loss") return value < state.bestValue;
  return value > state.bestValue || (value === state.bestValue && loss < state.bestLoss);
}

/** Whether training ends after `epoch` (from 1). */
export function isExhausted(config: EarlyStoppingConfig, state: SelectionState, epoch: number): boolean {
  return epoch >= config.minEpochs && state.nEpochsWithoutGain >= config.patience;
}
