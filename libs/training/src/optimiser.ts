/**
 * Optimisers as pure functions over flat vectors. Legend: P trainable numbers of the model, all parameters end to end.
 *
 * One vector per role instead of one per parameter makes a step a dozen operations whatever the model's depth: on bags of
 * a few tiles the runtime's cost per operation, not arithmetic, is what a step costs.
 */
import { DomainError } from "@parfocal/errors";
import { type ConfigObject, createConfigReader } from "@parfocal/models";
import { tf } from "@parfocal/tensor";

/** How parameters move; every field has a value. */
export type OptimiserConfig =
  | {
      /** `adam`: L2 added to the gradient, of every parameter. `adamw`: decoupled decay, of matrices alone. */
      readonly kind: "adam" | "adamw";
      readonly learningRate: number;
      readonly weightDecay: number;
      readonly beta1: number;
      readonly beta2: number;
      readonly epsilon: number;
    }
  | {
      /** Momentum without dampening or Nesterov's look-ahead; L2 added to the gradient, of every parameter. */
      readonly kind: "sgd";
      readonly learningRate: number;
      readonly weightDecay: number;
      readonly momentum: number;
    };

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
  /** `[nHyper]`, what {@link Optimiser.hyper} gave for this step. */
  readonly hyper: tf.Tensor1D;
  /** `[P]` of 0 and 1: which numbers decoupled decay touches. Called only when it is needed. */
  decayMask(): tf.Tensor1D;
  /** `[P]`: what the step size of each number is multiplied by, its decoupled decay not. Absent: 1. */
  readonly stepScale?: tf.Tensor1D;
}

/** An optimiser: no state of its own. */
export interface Optimiser {
  readonly config: OptimiserConfig;
  readonly slotNames: readonly string[];
  readonly nHyper: number;
  /** The numbers that change from step to step, computed in f64. `step` counts updates from 1. */
  hyper(step: number, learningRate: number): Float32Array<ArrayBuffer>;
  /** The state after one update. */
  update(state: OptimiserState, input: UpdateInput): OptimiserState;
}

/**
 * Reads an optimiser's configuration. Defaults: AdamW, 1e-4, decay 1e-5, betas 0.9 and 0.999, epsilon 1e-8; momentum 0.9.
 *
 * @throws {DomainError} `INVALID_ARGUMENT` naming the field.
 */
export function parseOptimiser(json: ConfigObject): OptimiserConfig {
  const reader = createConfigReader(json, "optimiser");
  const kind = reader.choice("kind", ["adam", "adamw", "sgd"], "adamw");
  // The smallest positive double: zero would train nothing and is refused.
  const learningRate = reader.number("learningRate", { min: Number.MIN_VALUE, max: 10, fallback: 1e-4 });
  const weightDecay = reader.number("weightDecay", { min: 0, max: 1, fallback: 1e-5 });
  const beta = (name: string, fallback: number) => reader.number(name, { min: 0, max: 0.999999, fallback });
  const config: OptimiserConfig =
    kind === "sgd"
      ? { kind, learningRate, weightDecay, momentum: beta("momentum", 0.9) }
      : {
          kind,
          learningRate,
          weightDecay,
          beta1: beta("beta1", 0.9),
          beta2: beta("beta2", 0.999),
          epsilon: reader.number("epsilon", { min: 1e-16, max: 1, fallback: 1e-8 }),
        };
  reader.assertNoOthers();
  return config;
}

/** The optimiser of a configuration. */
export function createOptimiser(config: OptimiserConfig): Optimiser {
  return config.kind === "sgd" ? createSgd(config) : createAdam(config);
}

/**
 * Adam and AdamW. The slots hold the moments divided by (1 - beta), which saves two passes over the parameters; the
 * factors return in the step size.
 *
 * Source: Kingma & Ba 2015, alg. 1; Loshchilov & Hutter 2019, alg. 2 (decay scaled by the learning rate alone).
 * Differs: bias correction is folded into step size and epsilon, equal up to rounding.
 */
function createAdam(config: OptimiserConfig & { readonly kind: "adam" | "adamw" }): Optimiser {
  const { beta1, beta2, epsilon, weightDecay } = config;
  const isCoupled = config.kind === "adam";
  return {
    config,
    slotNames: ["moment1", "moment2"],
    nHyper: 3,
    hyper(step, learningRate) {
      const root = Math.sqrt(1 - beta2 ** step) / Math.sqrt(1 - beta2);
      const size = ((learningRate * (1 - beta1)) / (1 - beta1 ** step)) * root;
      return Float32Array.of(size, epsilon * root, learningRate * weightDecay);
    },
    update({ weights, slots }, { gradients, hyper, decayMask, stepScale }) {
      const [size, smallest, decay] = tf.split(hyper, 3);
      const g = isCoupled && weightDecay > 0 ? axpy(weightDecay, weights, gradients) : gradients;
      const moment1 = axpy(beta1, slot(slots, "moment1"), g);
      const moment2 = axpy(beta2, slot(slots, "moment2"), tf.mul(g, g));
      const direction = tf.div(moment1, tf.add(tf.sqrt(moment2), scalar(smallest)));
      const moved = vector(tf.sub(weights, tf.mul(direction, scaled(scalar(size), stepScale))));
      const state = { weights: moved, slots: { moment1, moment2 } };
      if (isCoupled || weightDecay === 0) return state;
      return { ...state, weights: vector(tf.sub(moved, tf.mul(weights, tf.mul(decayMask(), scalar(decay))))) };
    },
  };
}

/**
 * Stochastic gradient descent with momentum: `b = momentum b + (g + decay w)`, `w = w - lr b`.
 *
 * Source: the update of torch.optim.SGD, where the learning rate multiplies the buffer and not the gradient.
 */
function createSgd(config: OptimiserConfig & { readonly kind: "sgd" }): Optimiser {
  const { weightDecay, momentum } = config;
  return {
    config,
    slotNames: momentum > 0 ? ["momentum"] : [],
    nHyper: 1,
    hyper: (_step, learningRate) => Float32Array.of(learningRate),
    update({ weights, slots }, { gradients, hyper, stepScale }) {
      const g = weightDecay > 0 ? axpy(weightDecay, weights, gradients) : gradients;
      const buffer = momentum > 0 ? axpy(momentum, slot(slots, "momentum"), g) : g;
      const moved = vector(tf.sub(weights, tf.mul(buffer, scaled(hyper, stepScale))));
      return { weights: moved, slots: momentum > 0 ? { momentum: buffer } : {} };
    },
  };
}

/** `factor x + y`. */
function axpy(factor: number, x: tf.Tensor1D, y: tf.Tensor): tf.Tensor1D {
  return vector(tf.add(tf.mul(x, tf.scalar(factor)), y));
}

/** The step size of every number: one for all, or `[P]`. */
function scaled(size: tf.Tensor, stepScale: tf.Tensor1D | undefined): tf.Tensor {
  return stepScale === undefined ? size : tf.mul(stepScale, size);
}

function vector(x: tf.Tensor | undefined): tf.Tensor1D {
  return x as tf.Tensor1D;
}

function scalar(x: tf.Tensor | undefined): tf.Tensor {
  if (x === undefined)
    throw new DomainError("INTERNAL", "the hyper-parameter vector is shorter than the optimiser's nHyper");
  return x;
}

function slot(slots: OptimiserState["slots"], name: string): tf.Tensor1D {
  const value = slots[name];
  if (value === undefined) throw new DomainError("INTERNAL", `the optimiser's state lacks ${name}`);
  return value;
}
