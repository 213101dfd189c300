import { type ConfigObject, createConfigReader } from "@parfocal/models";

/** How the step size changes over a training; every field has a value. */
export interface ScheduleConfig {
  /** `constant`; `cosine`: half a cosine from 1 to `floor` after the warm-up; `plateau`: see {@link advancePlateau}. */
  readonly kind: "constant" | "cosine" | "plateau";
  /** Epochs (fractions allowed) of linear rise from 0 before. */
  readonly warmupEpochs: number;
  /** Lowest share of the initial step size, of cosine and plateau. */
  readonly floor: number;
  /** Plateau: what the step size is multiplied by. */
  readonly factor: number;
  /** Plateau: epochs without a lower validation loss before that. */
  readonly patience: number;
}

/** State of a plateau schedule; JSON. */
export interface PlateauState {
  /** Lowest validation loss so far; null before the first. */
  readonly best: number | null;
  readonly nBadEpochs: number;
  /** Share of the initial step size in force. */
  readonly scale: number;
}

/** The state before the first epoch. */
export const INITIAL_PLATEAU: PlateauState = { best: null, nBadEpochs: 0, scale: 1 };

/**
 * Reads a schedule. Defaults: constant, no warm-up, floor 0, factor 0.1, patience 5.
 *
 * @throws {DomainError} `INVALID_ARGUMENT` naming the field.
 */
export function parseSchedule(json: ConfigObject): ScheduleConfig {
  const reader = createConfigReader(json, "schedule");
  const config: ScheduleConfig = {
    kind: reader.choice("kind", ["constant", "cosine", "plateau"], "constant"),
    warmupEpochs: reader.number("warmupEpochs", { min: 0, max: 10_000, fallback: 0 }),
    floor: reader.number("floor", { min: 0, max: 1, fallback: 0 }),
    factor: reader.number("factor", { min: 1e-6, max: 0.999999, fallback: 0.1 }),
    patience: reader.number("patience", { min: 0, max: 10_000, isInteger: true, fallback: 5 }),
  };
  reader.assertNoOthers();
  return config;
}

/** Where a training is: `update` of `nUpdates` in the whole training, both counted from 0. */
export interface SchedulePosition {
  readonly update: number;
  readonly nUpdates: number;
  readonly nUpdatesPerEpoch: number;
  readonly plateau: PlateauState;
}

/**
 * Share of the initial step size for one update, in [0, 1]. Pure. Warm-up gives the first update 1/n and the n-th 1;
 * the cosine spans the updates after it and gives its first one 1.
 */
export function scheduleFactor(config: ScheduleConfig, position: SchedulePosition): number {
  const nWarmup = Math.round(config.warmupEpochs * position.nUpdatesPerEpoch);
  if (position.update < nWarmup) return (position.update + 1) / nWarmup;
  switch (config.kind) {
    case "constant":
      return 1;
    case "plateau":
      return position.plateau.scale;
    case "cosine": {
      const done = (position.update - nWarmup) / Math.max(1, position.nUpdates - nWarmup);
      return config.floor + ((1 - config.floor) * (1 + Math.cos(Math.PI * done))) / 2;
    }
  }
}

/** A validation loss must be lower by this share to count: the default of the usual framework. */
const PLATEAU_THRESHOLD = 1e-4;

/**
 * The plateau state after an epoch of validation loss `loss`: multiplied by `factor`, not below `floor`, when more than
 * `patience` epochs in a row brought nothing.
 *
 * Source: the rule of torch.optim.lr_scheduler.ReduceLROnPlateau (relative threshold 1e-4, no cool-down).
 */
export function advancePlateau(config: ScheduleConfig, state: PlateauState, loss: number): PlateauState {
  if (state.best === null || loss < state.best * (1 - PLATEAU_THRESHOLD))
    return { ...state, best: loss, nBadEpochs: 0 };
  if (state.nBadEpochs < config.patience) return { ...state, nBadEpochs: state.nBadEpochs + 1 };
  return { ...state, nBadEpochs: 0, scale: Math.max(config.floor, state.scale * config.factor) };
}
