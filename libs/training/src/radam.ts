import { tf } from "@parfocal/tensor";
import { axpy, scalar, scaled, slot, vector } from "./flat-arithmetic.ts";
import type { MomentsConfig } from "./optimiser-config.ts";
import type { UpdateRule } from "./update-rule.ts";

/**
 * Rectified Adam with decoupled decay of matrices: steps go by the first moment alone as long as too few gradients were seen for the
 * second one's variance to be bounded, and are rectified by it from then on. Slots are as Adam's.
 *
 * Source: Liu et al. 2020, alg. 2; decay as in the authors' public program. Equals torch.optim.RAdam with decoupled decay, up to rounding.
 */
export function createRadam({ beta1, beta2, epsilon, weightDecay }: MomentsConfig): UpdateRule {
  return {
    slotNames: ["moment1", "moment2"],
    nHyper: 4,
    hyper(step, learningRate) {
      const size = (learningRate * (1 - beta1)) / (1 - beta1 ** step);
      const decay = learningRate * weightDecay;
      const rectification = rectificationOf(step, beta2);
      // The divisor is `slope sqrt(moment2) + smallest`, which is 1 where the second moment says nothing yet.
      if (rectification === null) return Float32Array.of(size, 0, 1, decay);
      const root = Math.sqrt(1 - beta2 ** step) / Math.sqrt(1 - beta2);
      return Float32Array.of(size * rectification * root, 1, epsilon / Math.sqrt(1 - beta2), decay);
    },
    update({ weights, slots }, { gradients, hyper, decayMask, stepScale }) {
      const [size, slope, smallest, decay] = tf.split(hyper, 4);
      const moment1 = axpy(beta1, slot(slots, "moment1"), gradients);
      const moment2 = axpy(beta2, slot(slots, "moment2"), tf.mul(gradients, gradients));
      const divisor = tf.add(tf.mul(tf.sqrt(moment2), scalar(slope)), scalar(smallest));
      const direction = tf.div(moment1, divisor);
      const moved = vector(tf.sub(weights, tf.mul(direction, scaled(scalar(size), stepScale))));
      const state = { weights: moved, slots: { moment1, moment2 } };
      if (weightDecay === 0) return state;
      return { ...state, weights: vector(tf.sub(moved, tf.mul(weights, tf.mul(decayMask(), scalar(decay))))) };
    },
  };
}

/** What the step is multiplied by, r of alg. 2; null as long as the variance has no bound (rho up to 5, torch's and the authors' bound). */
function rectificationOf(step: number, beta2: number): number | null {
  const longest = 2 / (1 - beta2) - 1;
  const length = longest - (2 * step * beta2 ** step) / (1 - beta2 ** step);
  if (length <= 5) return null;
  return Math.sqrt(((length - 4) * (length - 2) * longest) / ((longest - 4) * (longest - 2) * length));
}
