import { tf } from "@parfocal/tensor";
import { axpy, scaled, slot, vector } from "./flat-arithmetic.ts";
import type { SgdConfig } from "./optimiser-config.ts";
import type { UpdateRule } from "./update-rule.ts";

/**
 * Stochastic gradient descent with momentum: `b = momentum b + (g + decay w)`, `w = w - lr b`.
 *
 * Source: the update of torch.optim.SGD, where the learning rate multiplies the buffer and not the gradient.
 */
export function createSgd({ weightDecay, momentum }: SgdConfig): UpdateRule {
  return {
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
