import {
  type AttentionConfig,
  applyAttentionHead,
  countAttentionBranches,
  declareAttentionHead,
  parseAttentionConfig,
} from "../layers/attention-pooling.ts";
import type { HeadDefinition } from "../model.ts";

/** Configuration of {@link gatedAbmilHead}. */
export type GatedAbmilConfig = AttentionConfig<"gated-abmil">;

const GATED = { isGated: true } as const;

/**
 * Gated attention-based pooling: `a = softmax over tiles of w . (tanh(V h + b) * sigmoid(U h + c))`.
 *
 * Source: Ilse et al. 2018 (arXiv:1802.04712), eq. 7 and 9.
 */
export const gatedAbmilHead: HeadDefinition<GatedAbmilConfig> = {
  kind: "gated-abmil",
  parseConfig: (json, defaults) => parseAttentionConfig(json, "gated-abmil", defaults),
  declare: (config, widths) => declareAttentionHead(config, widths, GATED),
  countBranches: countAttentionBranches,
  forward: (config, tiles, context, widths) => applyAttentionHead(config, tiles, context, widths, GATED),
};
