import { gelu, tf } from "@parfocal/tensor";
import type { ConfigReader } from "../config-reader.ts";
import { type DropoutSite, type ForwardContext, type StageDeclaration, TILES } from "../model.ts";
import { LINEAR_SCHEMES, type LinearScheme, linearParameters } from "../parameter.ts";
import { applyLinear } from "./linear.ts";

/** Non-linear functions between layers; `gelu` is the exact form. */
export const ACTIVATIONS = ["relu", "gelu", "tanh"] as const;

/** One of {@link ACTIVATIONS}. */
export type Activation = (typeof ACTIVATIONS)[number];

/** The fields every head shares: the per-tile layers `Drop(activation(x W + b))` before it pools. */
export interface TrunkConfig {
  /** Widths of the layers; empty: tiles are pooled as they come. */
  readonly hidden: readonly number[];
  /** Between the layers. */
  readonly activation: Activation;
  /** Probability of dropping an activation after each layer. */
  readonly dropout: number;
  /** How the linear layers of the head are filled. */
  readonly init: LinearScheme;
}

/** Widest layer accepted: 64 times the usual one, still far below what would exhaust memory by itself. */
export const MAX_WIDTH = 32_768;

/** Reads the trunk's fields; defaults are one layer of 512 with ReLU and dropout 0.25, as in the CLAM programs, unless the head has others. */
export function readTrunkConfig(reader: ConfigReader, defaults: Partial<TrunkConfig> = {}): TrunkConfig {
  return {
    hidden: reader.integers("hidden", { min: 1, max: MAX_WIDTH, maxItems: 8 }, defaults.hidden ?? [512]),
    activation: reader.choice("activation", ACTIVATIONS, "relu"),
    dropout: reader.number("dropout", { min: 0, max: 0.95, fallback: defaults.dropout ?? 0.25 }),
    init: reader.choice("init", LINEAR_SCHEMES, defaults.init ?? "torch"),
  };
}

/** Width of the tiles behind the trunk. */
export function trunkWidth(config: TrunkConfig, dIn: number): number {
  return config.hidden.at(-1) ?? dIn;
}

/** Parameters `trunk.<i>.weight|bias`, or no biases, and sites `trunk.<i>`. */
export function declareTrunk(config: TrunkConfig, dIn: number, hasBias = true): StageDeclaration {
  const parameters = config.hidden.flatMap((nOut, i) =>
    linearParameters(`trunk.${i}`, { nIn: config.hidden[i - 1] ?? dIn, nOut, scheme: config.init, hasBias }),
  );
  const dropoutSites = config.hidden.map(
    (width, i): DropoutSite => ({ name: `trunk.${i}`, shape: [TILES, width], probability: config.dropout }),
  );
  return { parameters, dropoutSites };
}

/** `tiles` `[N, D]` -> `[N, H]`. */
export function applyTrunk(
  config: TrunkConfig,
  tiles: tf.Tensor2D,
  context: ForwardContext,
  hasBias = true,
): tf.Tensor2D {
  return config.hidden.reduce((x, _, i) => {
    const layer = applyLinear(context, `trunk.${i}`, x, hasBias); // [N, hidden[i]]
    return context.dropout(`trunk.${i}`, applyActivation(config.activation, layer));
  }, tiles);
}

/** `x` through the function, element by element. */
export function applyActivation(activation: Activation, x: tf.Tensor2D): tf.Tensor2D {
  switch (activation) {
    case "relu":
      return tf.relu(x);
    case "gelu":
      return gelu(x) as tf.Tensor2D;
    case "tanh":
      return tf.tanh(x);
  }
}
