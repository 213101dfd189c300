import { tf } from "@parfocal/tensor";
import { scalar, slot, vector } from "./flat-arithmetic.ts";
import type { LookaheadConfig } from "./optimiser-config.ts";
import type { UpdateRule } from "./update-rule.ts";

/**
 * Lookahead around a rule: every `steps` updates the slow weights go the share `alpha` of the way to the fast ones, which start again from
 * there; the rule's own slots go on. The slot `lead` is how far the fast weights are ahead of the slow ones: 0 at the start, so that
 * they begin as one whatever the weights are, and where a training is frozen, published or resumed.
 *
 * Validation and the published model see the weights as they stand, the fast ones between two such times, as the public programs have it.
 *
 * Source: Zhang et al. 2019, alg. 1. Differs from the public programs that take their slow weights at the first of these times only.
 */
export function withLookahead(rule: UpdateRule, { steps, alpha }: LookaheadConfig): UpdateRule {
  return {
    slotNames: [...rule.slotNames, "lead"],
    nHyper: rule.nHyper + 2,
    hyper(step, learningRate) {
      // By what share of the lead the weights go back, and what share of it stays.
      const [back, kept] = step % steps === 0 ? [1 - alpha, 0] : [0, 1];
      return Float32Array.of(...rule.hyper(step, learningRate), back, kept);
    },
    update(state, input) {
      const [own, back, kept] = tf.split(input.hyper, [rule.nHyper, 1, 1]);
      const { weights: fast, slots } = rule.update(state, { ...input, hyper: vector(own) });
      const lead = tf.add(slot(state.slots, "lead"), tf.sub(fast, state.weights));
      const weights = vector(tf.sub(fast, tf.mul(lead, scalar(back))));
      return { weights, slots: { ...slots, lead: vector(tf.mul(lead, scalar(kept))) } };
    },
  };
}
