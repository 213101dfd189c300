import type { tf } from "@parfocal/tensor";

// Legend: P trainable numbers of the model, all parameters end to end.

/** State of one step as flat `[P]` vectors. */
export interface OptimiserState {
  readonly weights: tf.Tensor1D;
  /** By the optimiser's slot names, zero before the first step. */
  readonly slots: Readonly<Record<string, tf.Tensor1D>>;
}

/** What an update gets beside the state. */
interface UpdateInput {
  /** `[P]`. */
  readonly gradients: tf.Tensor1D;
  /** `[nHyper]`, what {@link UpdateRule.hyper} gave for this step. */
  readonly hyper: tf.Tensor1D;
  /** `[P]` of 0 and 1: which numbers decoupled decay touches. Called only when it is needed. */
  decayMask(): tf.Tensor1D;
  /** `[P]`: what the step size of each number is multiplied by, its decoupled decay not. Absent: 1. */
  readonly stepScale?: tf.Tensor1D;
}

/** How weights move by gradients: no state of its own. */
export interface UpdateRule {
  readonly slotNames: readonly string[];
  readonly nHyper: number;
  /** The numbers that change from step to step, computed in f64. `step` counts updates from 1. */
  hyper(step: number, learningRate: number): Float32Array<ArrayBuffer>;
  /** The state after one update. */
  update(state: OptimiserState, input: UpdateInput): OptimiserState;
}
