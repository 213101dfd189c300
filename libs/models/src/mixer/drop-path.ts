import { tf } from "@parfocal/tensor";
import type { ForwardContext } from "../model.ts";

// Legend: B sequences, S tokens of each, W width, L blocks of a stack.

/** The branches of a block in their order. */
const BRANCHES = ["attention", "mlp"] as const;

/** A branch of a block. */
export type Branch = (typeof BRANCHES)[number];

/** A branch that training leaves out of some sequences. */
export interface PathSite {
  /** `<block>.<branch>.path`. */
  readonly name: string;
  readonly probability: number;
}

/**
 * The branches of a stack of blocks, each with the probability `rate · l / L` of block l = 1 to L; none at rate 0.
 *
 * Source: Huang et al. 2016 (stochastic depth), linear decay of survival.
 */
export function pathSites(blocks: readonly string[], rate: number): PathSite[] {
  if (rate === 0) return [];
  return blocks.flatMap((block, i) => {
    const probability = (rate * (i + 1)) / blocks.length;
    return BRANCHES.map((branch) => ({ name: pathName(block, branch), probability }));
  });
}

/** The site of a block's branch. */
function pathName(block: string, branch: Branch): string {
  return `${block}.${branch}.path`;
}

/** What a branch gives `[B, S, W]`, whole sequences of it left out and the others made larger as the context says. */
export function dropPath(context: ForwardContext, block: string, branch: Branch, x: tf.Tensor3D): tf.Tensor3D {
  const whole: tf.Tensor3D = tf.ones([x.shape[0], 1, 1]);
  const kept = context.dropout(pathName(block, branch), whole);
  return kept === whole ? x : tf.mul<tf.Tensor3D>(x, kept);
}
