import { tf } from "@parfocal/tensor";
import { axpy, scalar, scaled, slot, vector } from "./flat-arithmetic.ts";
import type { MomentsConfig } from "./optimiser-config.ts";
import type { UpdateRule } from "./update-rule.ts";

/**
 * Adam and AdamW. The slots hold the moments divided by (1 - beta), which saves two passes over the parameters; the
 * factors return in the step size.
 *
 * Source: Kingma & Ba 2015, alg. 1; Loshchilov & Hutter 2019, alg. 2 (decay scaled by the learning rate alone).
 * Differs: bias correction is folded into step size and epsilon, equal up to rounding.
 */
export function createAdam(config: MomentsConfig): UpdateRule {
  const { beta1, beta2, epsilon, weightDecay } = config;
  const isCoupled = config.kind === "adam";
  return {
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
