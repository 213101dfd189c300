/**
 * Optimisers as pure functions over flat vectors. Legend: P trainable numbers of the model, all parameters end to end.
 *
 * One vector per role instead of one per parameter makes a step a dozen operations whatever the model's depth: on bags of
 * a few tiles the runtime's cost per operation, not arithmetic, is what a step costs.
 */
import { DomainError } from "@parfocal/errors";
import { type ConfigObject, createConfigReader } from "@parfocal/models";
import { scanBlocks, tf } from "@parfocal/tensor";

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
      const doesDecay = !isCoupled && weightDecay > 0;
      const vectors = {
        ...{ weights, gradients, before1: slot(slots, "moment1"), before2: slot(slots, "moment2") },
        ...(doesDecay && { mask: decayMask() }),
        ...(stepScale && { scale: stepScale }),
      };
      const [next, moment1, moment2] = inBlocks(vectors, (part) => {
        const g = isCoupled && weightDecay > 0 ? axpy(weightDecay, part.weights, part.gradients) : part.gradients;
        const first = axpy(beta1, part.before1, g);
        const second = axpy(beta2, part.before2, tf.mul(g, g));
        const direction = tf.div(first, tf.add(tf.sqrt(second), scalar(smallest)));
        const moved = tf.sub(part.weights, tf.mul(direction, scaled(scalar(size), part.scale)));
        if (part.mask === undefined) return [moved, first, second];
        return [tf.sub(moved, tf.mul(part.weights, tf.mul(part.mask, scalar(decay)))), first, second];
      });
      return { weights: vector(next), slots: { moment1: vector(moment1), moment2: vector(moment2) } };
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

/** Fewest numbers for which an update goes block by block: all that it touches of fewer stays in a core's cache as it is. */
const MIN_BLOCKED = 1_048_576;

/** Most and fewest numbers of a block: eight vectors of them fit a core's cache, and the loop's own cost does not show. */
const MAX_BLOCK = 65_536;
const MIN_BLOCK = 4_096;

/** What `f` makes of vectors `[P]`, number by number; in blocks of equal size where P is large and has a fitting divisor. */
function inBlocks<V extends Readonly<Record<string, tf.Tensor1D>>>(
  vectors: V & { readonly weights: tf.Tensor1D },
  f: (part: V) => tf.Tensor[],
): [tf.Tensor | undefined, tf.Tensor | undefined, tf.Tensor | undefined] {
  const size = vectors.weights.shape[0];
  const block = size < MIN_BLOCKED ? undefined : largestDivisor(size);
  if (block === undefined) return f(vectors) as [tf.Tensor, tf.Tensor, tf.Tensor];
  const names = Object.keys(vectors);
  const scanned = Object.values(vectors).map((x) => tf.reshape(x, [size / block, block]));
  const { stacked } = scanBlocks(scanned, (blocks) => ({
    stacked: f(Object.fromEntries(blocks.map((x, i) => [names[i] ?? "", x])) as unknown as V),
  }));
  return stacked.map((x) => tf.reshape(x, [size])) as [tf.Tensor, tf.Tensor, tf.Tensor];
}

function largestDivisor(size: number): number | undefined {
  for (let block = MAX_BLOCK; block >= MIN_BLOCK; block--) if (size % block === 0) return block;
  return undefined;
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
