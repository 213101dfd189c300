import type { StepEngine } from "@parfocal/engine";
import { DomainError } from "@parfocal/errors";
import { initialiseParameters, type Model, type RandomSource, type Weights } from "@parfocal/models";
import { INITIAL_SELECTION, type SelectionState } from "./early-stopping.ts";
import { type FlatLayout, flattenWeights } from "./flat-layout.ts";
import { floatsFromHostTensor, hostTensorFromFloats } from "./host-tensor.ts";
import type { EpochReport } from "./job.ts";
import type { Optimiser } from "./optimiser.ts";
import { INITIAL_PLATEAU, type PlateauState } from "./schedule.ts";

/** How far a training is: all of its state but the vectors that lie in the engine. Legend: P trainable numbers, F fixed ones. */
export interface TrainingProgress {
  /** Finished epochs. */
  readonly epoch: number;
  /** Updates made. */
  readonly update: number;
  /** `[P]`, weights of the best epoch; null before the first and where the last epoch is taken anyway. */
  readonly bestWeights: Float32Array<ArrayBuffer> | null;
  readonly selection: SelectionState;
  readonly plateau: PlateauState;
  readonly history: readonly EpochReport[];
}

/**
 * Everything a training is, at the end of an epoch. Order and dropout of later epochs follow from the seed and the
 * counts, so no generator has a state to keep.
 */
export interface TrainingState extends TrainingProgress {
  /** `[P]`. */
  readonly weights: Float32Array<ArrayBuffer>;
  /** `[F]`. */
  readonly fixed: Float32Array<ArrayBuffer>;
  /** `[P]` by slot. */
  readonly slots: Readonly<Record<string, Float32Array<ArrayBuffer>>>;
}

/** The state before the first epoch: fresh weights but for those that are `given`. `fixed` are the fitted values. */
export function initialState(
  model: Model,
  layout: FlatLayout,
  optimiser: Optimiser,
  init: { readonly rng: RandomSource; readonly fixed: Float32Array<ArrayBuffer>; readonly given: Weights },
): TrainingState {
  const slots = optimiser.slotNames.map((name) => [name, new Float32Array(layout.nTrainable)] as const);
  return {
    epoch: 0,
    update: 0,
    weights: flattenWeights(layout.trainable, { ...initialiseParameters(model.parameters, init.rng), ...init.given }),
    fixed: init.fixed,
    slots: Object.fromEntries(slots),
    bestWeights: null,
    selection: INITIAL_SELECTION,
    plateau: INITIAL_PLATEAU,
    history: [],
  };
}

/** Where a training keeps its state in the engine. */
export interface ResidentState {
  /** Resident name of `weights`, `fixed`, `gradients` or `slot.<name>`. */
  nameOf(part: string): string;
  /** Puts weights, fixed values and slots into the engine. */
  put(state: Pick<TrainingState, "weights" | "fixed" | "slots">, signal: AbortSignal): Promise<void>;
  /** A copy of the weights and slots in the engine. */
  take(signal: AbortSignal): Promise<Pick<TrainingState, "weights" | "slots">>;
  /** Forgets everything of this training. */
  drop(): Promise<void>;
}

/** The resident state of the training called `name`. */
export function createResidentState(engine: StepEngine, name: string, slotNames: readonly string[]): ResidentState {
  const prefix = `train/${name}/`;
  const nameOf = (part: string): string => `${prefix}${part}`;
  return {
    nameOf,
    put(state, signal) {
      const parts = { weights: state.weights, ...(state.fixed.length > 0 && { fixed: state.fixed }) };
      const slots = Object.entries(state.slots).map(([slot, values]) => [`slot.${slot}`, values] as const);
      const tensors = [...Object.entries(parts), ...slots].map(
        ([part, values]) => [nameOf(part), hostTensorFromFloats([values.length], values)] as const,
      );
      return engine.setResident(Object.fromEntries(tensors), { signal });
    },
    async take(signal) {
      const parts = ["weights", ...slotNames.map((slot) => `slot.${slot}`)];
      const found = await engine.getResident(parts.map(nameOf), { signal });
      const values = (part: string) => floatsFromHostTensor(found[nameOf(part)], part);
      const slots = slotNames.map((slot) => [slot, values(`slot.${slot}`)] as const);
      return { weights: values("weights"), slots: Object.fromEntries(slots) };
    },
    drop: () => engine.dropResident(prefix),
  };
}

/** Checks that a state from a checkpoint has the sizes of a layout. @throws {DomainError} `CORRUPT` naming the vector. */
export function assertStateFits(
  state: Pick<TrainingState, "weights" | "fixed" | "slots" | "bestWeights">,
  layout: FlatLayout,
  optimiser: Optimiser,
): void {
  const sizes = {
    weights: [state.weights.length, layout.nTrainable],
    fixed: [state.fixed.length, layout.nFixed],
    bestWeights: [state.bestWeights?.length ?? layout.nTrainable, layout.nTrainable],
    ...Object.fromEntries(
      optimiser.slotNames.map((name) => [name, [state.slots[name]?.length ?? 0, layout.nTrainable]]),
    ),
  };
  for (const [name, [found, wanted]] of Object.entries(sizes)) {
    if (found !== wanted)
      throw new DomainError("CORRUPT", `checkpoint vector ${name} has ${found} values, not ${wanted}`);
  }
}
