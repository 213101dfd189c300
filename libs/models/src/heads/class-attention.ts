import { DomainError } from "@parfocal/errors";
import { linear, softmaxOverTiles, tf } from "@parfocal/tensor";
import { createConfigReader } from "../config-reader.ts";
import { classifyBranches } from "../layers/attention-pooling.ts";
import { applyLinear } from "../layers/linear.ts";
import { applyTrunk, declareTrunk, MAX_WIDTH, readTrunkConfig, type TrunkConfig, trunkWidth } from "../layers/trunk.ts";
import type { ForwardContext, HeadConfig, HeadDefinition, HeadWidths } from "../model.ts";
import { linearParameters, type ParameterSpec } from "../parameter.ts";

// Legend: N tiles, W width behind the trunk, A class tokens, H heads, L attention width, d = L / H, K logits.

/** Configuration of {@link classAttentionHead}. */
export interface ClassAttentionConfig extends HeadConfig, TrunkConfig {
  readonly kind: "class-attention";
  readonly hidden: readonly number[];
  readonly activation: TrunkConfig["activation"];
  readonly init: TrunkConfig["init"];
  /** Width L of queries, keys and values of all heads together. */
  readonly attentionWidth: number;
  /** Number of heads; divides the attention width. */
  readonly heads: number;
  /** `per-class`: a learned token for each logit. `single`: one token for all. */
  readonly branches: "single" | "per-class";
}

/**
 * Pooling by learned class tokens: every token attends to the tiles in H heads, is projected, and classified by a row of its
 * own. `attention` is the mean over heads, `[N, A]`.
 *
 * Source: Pochet et al. 2023, the class attention of their Ro-ABMIL. Differs in the order of products only: scores are
 * `E (Wk Q)`, values `(Aᵀ E) Wv`, so that no tile is projected to keys or values.
 */
export const classAttentionHead: HeadDefinition<ClassAttentionConfig> = {
  kind: "class-attention",

  parseConfig(json) {
    const reader = createConfigReader(json, "head");
    const config: ClassAttentionConfig = {
      kind: reader.choice("kind", ["class-attention"]),
      ...readTrunkConfig(reader),
      attentionWidth: reader.number("attentionWidth", { min: 1, max: MAX_WIDTH, isInteger: true, fallback: 256 }),
      heads: reader.number("heads", { min: 1, max: 64, isInteger: true, fallback: 8 }),
      branches: reader.choice("branches", ["single", "per-class"], "per-class"),
    };
    reader.assertNoOthers();
    if (config.attentionWidth % config.heads === 0) return config;
    const message = `head.attentionWidth is ${config.attentionWidth}; ${config.heads} heads need a multiple of them`;
    throw new DomainError("INVALID_ARGUMENT", message, { details: { field: "head.attentionWidth" } });
  },

  declare(config, widths) {
    const trunk = declareTrunk(config, widths.dIn);
    const [nIn, scheme, width] = [trunkWidth(config, widths.dIn), config.init, config.attentionWidth];
    return {
      parameters: [
        ...trunk.parameters,
        tokenParameter(countTokens(config, widths), width),
        ...linearParameters("attention.k", { nIn, nOut: width, scheme }),
        ...linearParameters("attention.v", { nIn, nOut: width, scheme }),
        ...linearParameters("attention.out", { nIn: width, nOut: nIn, scheme }),
        ...linearParameters("classifier", { nIn, nOut: widths.nLogits, scheme }),
      ],
      dropoutSites: trunk.dropoutSites,
    };
  },

  countBranches: countTokens,

  forward(config, tiles, context, widths) {
    const hidden = applyTrunk(config, tiles, context); // [N, W]
    const weights = softmaxOverTiles(tokenScores(config, hidden, context)) as tf.Tensor2D; // [N, H·A]
    const pooled = poolValues(config, weights, hidden, context); // [A, L]
    const projected = applyLinear(context, "attention.out", pooled); // [A, W]
    const perHead = tf.reshape(weights, [-1, config.heads, countTokens(config, widths)]);
    return {
      logits: classifyBranches(projected, context, config.branches, widths),
      attention: tf.mean<tf.Tensor2D>(perHead, 1), // [N, A]
    };
  },
};

function countTokens({ branches }: ClassAttentionConfig, { nLogits }: HeadWidths): number {
  return branches === "single" ? 1 : nLogits;
}

/** Class tokens `[A, L]`: Xavier normal on `[1, A, L]`, whose fans are A·L and L; position codes of a sort, so no decay. */
function tokenParameter(nTokens: number, width: number): ParameterSpec {
  const std = Math.sqrt(2 / (width * (nTokens + 1)));
  return { name: "tokens", shape: [nTokens, width], init: { kind: "normal", std }, decay: false, isTrainable: true };
}

/** Scaled products of tokens and keys, `[N, W]` -> `[N, H·A]`, heads outermost. */
function tokenScores({ heads }: ClassAttentionConfig, hidden: tf.Tensor2D, context: ForwardContext): tf.Tensor2D {
  const tokens = context.parameter<tf.Tensor2D>("tokens");
  const [nTokens, width] = tokens.shape;
  const depth = width / heads;
  const split = tf.transpose(tf.reshape(tokens, [nTokens, heads, depth]), [1, 0, 2]); // [H, A, d]
  const queries = tf.mul(split, 1 / Math.sqrt(depth));
  const keys = tf.reshape(context.parameter<tf.Tensor2D>("attention.k.weight"), [heads, depth, -1]); // [H, d, W]
  const shift = tf.reshape(context.parameter<tf.Tensor1D>("attention.k.bias"), [heads, depth, 1]); // [H, d, 1]
  const weight = tf.reshape(tf.matMul(queries, keys), [heads * nTokens, -1]); // [H·A, W]
  return linear(hidden, weight, tf.reshape(tf.matMul(queries, shift), [heads * nTokens])) as tf.Tensor2D;
}

/** What the tokens see: `weights` `[N, H·A]` of `hidden` `[N, W]` -> values `[A, L]`, heads side by side. */
function poolValues(
  { heads, attentionWidth }: ClassAttentionConfig,
  weights: tf.Tensor2D,
  hidden: tf.Tensor2D,
  context: ForwardContext,
): tf.Tensor2D {
  const nTokens = weights.shape[1] / heads;
  const depth = attentionWidth / heads;
  const seen = tf.reshape(tf.matMul(weights, hidden, true), [heads, nTokens, -1]); // [H, A, W]
  const values = tf.reshape(context.parameter<tf.Tensor2D>("attention.v.weight"), [heads, depth, -1]); // [H, d, W]
  const shift = tf.reshape(context.parameter<tf.Tensor1D>("attention.v.bias"), [heads, 1, depth]);
  const mixed = tf.add(tf.matMul(seen, values, false, true), shift); // [H, A, d]
  return tf.reshape(tf.transpose(mixed, [1, 0, 2]), [nTokens, attentionWidth]);
}
