import { softmaxOverTiles, tf } from "@parfocal/tensor";
import { type ConfigReader, createConfigReader } from "../config-reader.ts";
import {
  type DropoutSite,
  type ForwardContext,
  type HeadConfig,
  type HeadDefaults,
  type HeadOutput,
  type HeadWidths,
  type StageDeclaration,
  TILES,
} from "../model.ts";
import { linearParameters } from "../parameter.ts";
import { applyLinear } from "./linear.ts";
import { cutTiles, isBlockwise, poolInBlocks } from "./tile-blocks.ts";
import {
  ACTIVATIONS,
  type Activation,
  applyActivation,
  applyTrunk,
  declareTrunk,
  MAX_WIDTH,
  readTrunkConfig,
  type TrunkConfig,
  trunkWidth,
} from "./trunk.ts";

/** Configuration of the heads that pool by attention. */
export interface AttentionConfig<Kind extends string = string> extends HeadConfig, TrunkConfig {
  readonly kind: Kind;
  readonly hidden: readonly number[];
  readonly activation: TrunkConfig["activation"];
  readonly init: TrunkConfig["init"];
  /** Width of the attention's hidden layer. */
  readonly attentionWidth: number;
  /** Probability of dropping an activation of that layer. */
  readonly attentionDropout: number;
  /** Of that layer; the papers' is tanh. Of a gated layer it is the branch without the sigmoid. */
  readonly attentionActivation: Activation;
  /** Whether that layer has a bias; the papers' has one. */
  readonly attentionBias: boolean;
  /** `single`: one attention for all classes. `per-class`: each logit pools by an attention of its own. */
  readonly branches: "single" | "per-class";
}

/** The fields of {@link AttentionConfig} but for its kind. */
type AttentionFields = TrunkConfig &
  Pick<AttentionConfig, "attentionWidth" | "attentionDropout" | "attentionActivation" | "attentionBias" | "branches">;

/** What distinguishes plain from gated attention. */
interface AttentionKind {
  readonly isGated: boolean;
}

/** Reads the configuration of an attention head; attention is 256 wide with dropout 0.25 unless told. */
export function parseAttentionConfig<const K extends string>(
  json: unknown,
  kind: K,
  defaults: HeadDefaults,
): AttentionConfig<K> {
  const reader: ConfigReader = createConfigReader(json, "head");
  const config: AttentionConfig<K> = { kind: reader.choice("kind", [kind]), ...readAttentionFields(reader, defaults) };
  reader.assertNoOthers();
  return config;
}

/** The fields of an attention head but for its kind. */
export function readAttentionFields(reader: ConfigReader, defaults: HeadDefaults): AttentionFields {
  return {
    ...readTrunkConfig(reader),
    attentionWidth: reader.number("attentionWidth", { min: 1, max: MAX_WIDTH, isInteger: true, fallback: 256 }),
    attentionDropout: reader.number("attentionDropout", { min: 0, max: 0.95, fallback: 0.25 }),
    attentionActivation: reader.choice("attentionActivation", ACTIVATIONS, "tanh"),
    attentionBias: reader.boolean("attentionBias", true),
    branches: reader.choice("branches", ["single", "per-class"], defaults.isMultilabel ? "per-class" : "single"),
  };
}

/** Number of attention branches: one, or one per logit. */
export function countAttentionBranches(config: AttentionConfig, { nLogits }: HeadWidths): number {
  return config.branches === "single" ? 1 : nLogits;
}

/**
 * Parameters `trunk.*`, `attention.v`, `attention.u` (gated only), `attention.w` and `classifier`; sites `trunk.<i>`,
 * `attention.v`, `attention.u`. The scores have no bias: it would cancel in the softmax.
 */
export function declareAttentionHead(
  config: AttentionConfig,
  widths: HeadWidths,
  { isGated }: AttentionKind,
): StageDeclaration {
  const trunk = declareTrunk(config, widths.dIn);
  const nIn = trunkWidth(config, widths.dIn);
  const { init: scheme, attentionWidth: nOut, attentionBias: hasBias } = config;
  const gates = isGated ? ["attention.v", "attention.u"] : ["attention.v"];
  const nBranches = countAttentionBranches(config, widths);
  return {
    parameters: [
      ...trunk.parameters,
      ...gates.flatMap((name) => linearParameters(name, { nIn, nOut, scheme, hasBias })),
      ...linearParameters("attention.w", { nIn: nOut, nOut: nBranches, scheme, hasBias: false }),
      ...linearParameters("classifier", { nIn, nOut: widths.nLogits, scheme }),
    ],
    dropoutSites: [
      ...trunk.dropoutSites,
      ...gates.map((name): DropoutSite => ({ name, shape: [TILES, nOut], probability: config.attentionDropout })),
    ],
  };
}

/** The forward function of the heads that pool by attention: `tiles` `[N, D]` -> logits `[K]`, attention `[N, A]`. */
export function applyAttentionHead(
  config: AttentionConfig,
  tiles: tf.Tensor2D,
  context: ForwardContext,
  widths: HeadWidths,
  kind: AttentionKind,
): HeadOutput {
  if (isBlockwise(context)) return attendInBlocks(config, tiles, context, widths, kind);
  return poolTiles(config, scoreTiles(config, tiles, context, kind), context, widths);
}

/** The same as {@link applyAttentionHead}, block after block of tiles: for inference. */
export function attendInBlocks(
  config: AttentionConfig,
  tiles: tf.Tensor2D,
  context: ForwardContext,
  widths: HeadWidths,
  kind: AttentionKind,
): HeadOutput {
  const { pooled, scores } = poolInBlocks(tiles, cutTiles(tiles.shape[0]), (block) => {
    const hidden = applyTrunk(config, block, context);
    return { hidden, scores: attentionRows(config, hidden, context, kind) };
  });
  const logits = classifyBranches(pooled, context, config.branches, widths);
  return { logits, attention: softmaxOverTiles(scores) as tf.Tensor2D };
}

/** Tiles behind the trunk with what the softmax over tiles is taken of. */
export interface ScoredTiles {
  /** `[N, H]`. */
  readonly hidden: tf.Tensor2D;
  /** `[N, A]`. */
  readonly scores: tf.Tensor2D;
}

/** Trunk and scores of `tiles` `[N, D]`. */
export function scoreTiles(
  config: AttentionConfig,
  tiles: tf.Tensor2D,
  context: ForwardContext,
  { isGated }: AttentionKind,
): ScoredTiles {
  const hidden = applyTrunk(config, tiles, context); // [N, H]
  return { hidden, scores: attentionScores(config, hidden, context, { isGated }) };
}

/** Softmax over the tiles, weighted sums of them and the classifier. */
export function poolTiles(
  { branches }: Pick<AttentionConfig, "branches">,
  { hidden, scores }: ScoredTiles,
  context: ForwardContext,
  widths: HeadWidths,
): HeadOutput {
  const attention = softmaxOverTiles(scores) as tf.Tensor2D; // [N, A]
  const pooled: tf.Tensor2D = tf.matMul(attention, hidden, true, false); // [A, H]
  return { logits: classifyBranches(pooled, context, branches, widths), attention };
}

/**
 * `w . tanh(V h + b)`, times `sigmoid(U h + b)` inside when gated: `[N, H]` -> `[N, A]`, by the parameters and sites below `name`.
 *
 * Source: Ilse et al. 2018 (arXiv:1802.04712), eq. 8 and 9; one row of `w` per branch as in CLAM's multi-branch model.
 * Differs: tanh may be another function and `b` absent, as the public R2T program has it.
 */
export function attentionScores(
  config: AttentionLayer,
  hidden: tf.Tensor2D,
  context: ForwardContext,
  options: AttentionKind & { readonly name?: string },
): tf.Tensor2D {
  const { features, w } = scoredFeatures(config, hidden, context, options);
  return tf.matMul(features, w, false, true);
}

/** {@link attentionScores} as rows, `[A, N]`: the runtime is fastest at few rows. */
export function attentionRows(
  config: AttentionLayer,
  hidden: tf.Tensor2D,
  context: ForwardContext,
  options: AttentionKind & { readonly name?: string },
): tf.Tensor2D {
  const { features, w } = scoredFeatures(config, hidden, context, options);
  return tf.matMul(w, features, false, true);
}

type AttentionLayer = Pick<AttentionConfig, "attentionActivation" | "attentionBias">;

/** What the scores are products of: `features` `[N, L]` and `w` `[A, L]`. */
function scoredFeatures(
  { attentionActivation, attentionBias }: AttentionLayer,
  hidden: tf.Tensor2D,
  context: ForwardContext,
  { isGated, name = "attention" }: AttentionKind & { readonly name?: string },
): { readonly features: tf.Tensor2D; readonly w: tf.Tensor2D } {
  const layer = (part: string): tf.Tensor2D => applyLinear(context, `${name}.${part}`, hidden, attentionBias);
  const activated = applyActivation(attentionActivation, layer("v"));
  const v = context.dropout<tf.Tensor2D>(`${name}.v`, activated); // [N, L]
  const w = context.parameter<tf.Tensor2D>(`${name}.w.weight`); // [A, L]
  if (!isGated) return { features: v, w };
  const u = context.dropout<tf.Tensor2D>(`${name}.u`, tf.sigmoid(layer("u"))); // [N, L]
  return { features: tf.mul<tf.Tensor2D>(v, u), w };
}

/** `[A, H]` -> `[K]`: one classifier of the single embedding, or row k of the classifier on embedding k. */
export function classifyBranches(
  pooled: tf.Tensor2D,
  context: ForwardContext,
  branches: AttentionConfig["branches"],
  widths: HeadWidths,
): tf.Tensor1D {
  if (branches === "single") return tf.reshape(applyLinear(context, "classifier", pooled), [widths.nLogits]);
  const weight = context.parameter<tf.Tensor2D>("classifier.weight"); // [K, H]
  const bias = context.parameter<tf.Tensor1D>("classifier.bias"); // [K]
  return tf.add(tf.sum<tf.Tensor1D>(tf.mul(pooled, weight), 1), bias);
}
