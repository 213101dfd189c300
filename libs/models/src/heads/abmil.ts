import {
  type AttentionConfig,
  applyAttentionHead,
  countAttentionBranches,
  declareAttentionHead,
  parseAttentionConfig,
} from "../layers/attention-pooling.ts";
import type { HeadDefinition } from "../model.ts";

/** Configuration of {@link abmilHead}. */
export type AbmilConfig = AttentionConfig<"abmil">;

const PLAIN = { isGated: false } as const;

/**
 * Attention-based pooling: `a = softmax over tiles of w . tanh(V h + b)`, `z = sum a h`, `logits = z W + b`.
 *
 * Source: Ilse et al. 2018 (arXiv:1802.04712), eq. 7 and 8.
 */
export const abmilHead: HeadDefinition<AbmilConfig> = {
  kind: "abmil",
  parseConfig: (json, defaults) => parseAttentionConfig(json, "abmil", defaults),
  declare: (config, widths) => declareAttentionHead(config, widths, PLAIN),
  countBranches: countAttentionBranches,
  forward: (config, tiles, context, widths) => applyAttentionHead(config, tiles, context, widths, PLAIN),
};
