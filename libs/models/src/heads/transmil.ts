import { DomainError } from "@parfocal/errors";
import { layerNorm, placeRows, repeatRows, softmaxOverTiles, tf } from "@parfocal/tensor";
import { createConfigReader } from "../config-reader.ts";
import { applyLinear } from "../layers/linear.ts";
import {
  attendAllTokens,
  attendClassToken,
  type ClassTokenView,
  type NystromConfig,
  nystromParameters,
} from "../layers/nystrom-attention.ts";
import { convolveImage, squareConvolutionParameters } from "../layers/square-convolution.ts";
import { firstTokens, type TokenGrid, tokenGrid } from "../layers/token-grid.ts";
import { applyTrunk, declareTrunk, readTrunkConfig, type TrunkConfig, trunkWidth } from "../layers/trunk.ts";
import { type DropoutSite, type ForwardContext, type HeadConfig, type HeadDefinition, TILES } from "../model.ts";
import { linearParameters, normParameters, type ParameterSpec } from "../parameter.ts";

// Legend: N tiles, W width, s = ⌈√N⌉, T = s² + 1 tokens, P places of the tokens and of what is empty in front of them, H heads.

/** Configuration of {@link transmilHead}. */
export interface TransmilConfig extends HeadConfig, TrunkConfig, NystromConfig {
  readonly kind: "transmil";
  readonly hidden: readonly number[];
  readonly activation: TrunkConfig["activation"];
  readonly init: TrunkConfig["init"];
  readonly heads: number;
  readonly landmarks: number;
  readonly pinvSteps: number;
  readonly convTaps: number;
  /** Probability of dropping an activation behind the output layer of an attention. */
  readonly attentionDropout: number;
}

/** PPEG. */
const PYRAMID = { kernels: [7, 5, 3], isColumn: false } as const;
const LAYERS = ["layers.0", "layers.1"] as const;

/**
 * TransMIL: the tiles in their storage order fill a square, the first of them twice to complete it; behind a class token they attend to each
 * other through landmarks, pass convolutions over the square (PPEG), and attend again; the class token is classified. The result depends
 * on the order of the tiles, and not on where they lie on the slide. Memory is linear in N.
 *
 * `attention` is the softmax over the tiles of what the class token of the second layer scores them, mean over the heads. The layer's own
 * weights are the approximation of that through landmarks, which may be negative.
 *
 * Source: Shao et al. 2021 (arXiv:2106.00908) and its public program. Differs in the order of sums only; in the second layer nothing is
 * computed that does not reach the class token; a tile and its repetition drop the same activations.
 */
export const transmilHead: HeadDefinition<TransmilConfig> = {
  kind: "transmil",

  parseConfig(json) {
    const reader = createConfigReader(json, "head");
    const whole = (name: string, min: number, max: number, fallback: number) =>
      reader.number(name, { min, max, isInteger: true, fallback });
    const config: TransmilConfig = {
      kind: reader.choice("kind", ["transmil"]),
      ...readTrunkConfig(reader, { dropout: 0 }),
      heads: whole("heads", 1, 64, 8),
      landmarks: whole("landmarks", 1, 4096, 256),
      pinvSteps: whole("pinvSteps", 1, 32, 6),
      convTaps: whole("convTaps", 1, 255, 33),
      attentionDropout: reader.number("attentionDropout", { min: 0, max: 0.95, fallback: 0.1 }),
    };
    reader.assertNoOthers();
    if (config.convTaps % 2 === 1) return config;
    throw new DomainError("INVALID_ARGUMENT", `head.convTaps is ${config.convTaps}; it must be odd`, {
      details: { field: "head.convTaps" },
    });
  },

  declare(config, { dIn, nLogits }) {
    const trunk = declareTrunk(config, dIn);
    const width = trunkWidth(config, dIn);
    assertHeadsFit(config, width);
    const site = (name: string, rows: DropoutSite["shape"][number]): DropoutSite => {
      return { name, shape: [rows, width], probability: config.attentionDropout };
    };
    const layers = LAYERS.flatMap((name) => [
      ...normParameters(`${name}.norm`, width),
      ...nystromParameters(name, width, config),
    ]);
    return {
      parameters: [
        ...trunk.parameters,
        classToken(width),
        ...layers,
        ...squareConvolutionParameters("position", width, { ...PYRAMID, scheme: "torch" }),
        ...normParameters("norm", width),
        ...linearParameters("classifier", { nIn: width, nOut: nLogits, scheme: config.init }),
      ],
      dropoutSites: [
        ...trunk.dropoutSites,
        site("layers.0.tiles", TILES),
        site("layers.0.token", 1),
        site("layers.1.token", 1),
      ],
    };
  },

  countBranches: () => 1,

  forward(config, tiles, context, { nLogits }) {
    const hidden = applyTrunk(config, tiles, context); // [N, W]
    const grid = tokenGrid(hidden.shape[0], config.landmarks);
    const first = attendTiles(config, { hidden, grid }, context);
    const square = encodePlaces(first.square, grid, context); // [s², W]
    const { token, scores } = attendFromClass(
      config,
      { token: first.token, square, nTiles: hidden.shape[0], grid },
      context,
    );
    const last = tf.add<tf.Tensor2D>(first.token, context.dropout("layers.1.token", token)); // [1, W]
    const attention: tf.Tensor2D = tf.mean(softmaxOverTiles(scores), 1, true); // [N, 1]
    return {
      logits: tf.reshape(applyLinear(context, "classifier", norm(context, "norm", last)), [nLogits]),
      attention,
    };
  },
};

/** The class token, normal of deviation 1; as a matrix of the public program it decays. */
function classToken(width: number): ParameterSpec {
  return { name: "token", shape: [1, width], init: { kind: "normal", std: 1 }, decay: true, isTrainable: true };
}

/** @throws {DomainError} `INVALID_ARGUMENT` naming width and heads. */
function assertHeadsFit({ heads }: TransmilConfig, width: number): void {
  if (width % heads === 0) return;
  throw new DomainError("INVALID_ARGUMENT", `head.heads is ${heads}; it must divide the width of the tiles, ${width}`, {
    details: { field: "head.heads" },
  });
}

/** Class token `[1, W]` and square `[s², W]` behind the first layer. */
export function attendTiles(
  config: NystromConfig,
  { hidden, grid }: { readonly hidden: tf.Tensor2D; readonly grid: TokenGrid },
  context: ForwardContext,
): { readonly token: tf.Tensor2D; readonly square: tf.Tensor2D } {
  const [name] = LAYERS;
  const token = context.parameter<tf.Tensor2D>("token");
  const normed = tf.concat([norm(context, `${name}.norm`, token), norm(context, `${name}.norm`, hidden)]); // [1 + N, W]
  const rows = repeatRows(normed, grid.tiles) as tf.Tensor2D; // [P, W]
  const placements = [grid.classToken, grid.squareTokens];
  const [forToken, forSquare] = attendAllTokens(context, name, rows, placements, config) as [tf.Tensor2D, tf.Tensor2D];
  const own = repeatRows(hidden, grid.square) as tf.Tensor2D; // [s², W]
  return {
    token: tf.add(token, context.dropout(`${name}.token`, forToken)),
    square: tf.add(own, dropRepeated(forSquare, { hidden, grid }, context)),
  };
}

/** Dropout of the square's rows: a site has a row for every tile, and repetitions drop what their tiles drop. */
function dropRepeated(
  x: tf.Tensor2D,
  { hidden, grid }: { readonly hidden: tf.Tensor2D; readonly grid: TokenGrid },
  context: ForwardContext,
): tf.Tensor2D {
  const whole: tf.Tensor2D = tf.fill(hidden.shape, 1);
  const kept = context.dropout("layers.0.tiles", whole);
  return kept === whole ? x : tf.mul(x, repeatRows(kept, grid.square));
}

/** PPEG of the square's rows `[s², W]`. */
export function encodePlaces(square: tf.Tensor2D, { side }: TokenGrid, context: ForwardContext): tf.Tensor2D {
  const [nRows, width] = square.shape;
  const image: tf.Tensor4D = tf.reshape(square, [1, side, side, width]);
  return tf.reshape(convolveImage(context, "position", image, PYRAMID), [nRows, width]);
}

interface SecondLayer {
  readonly token: tf.Tensor2D;
  readonly square: tf.Tensor2D;
  readonly nTiles: number;
  readonly grid: TokenGrid;
}

/** What the second layer gives the class token, without dropout and residual. */
function attendFromClass(
  config: NystromConfig,
  { token, square, nTiles, grid }: SecondLayer,
  context: ForwardContext,
): ClassTokenView {
  const [, name] = LAYERS;
  const normed = norm(context, `${name}.norm`, token); // [1, W]
  const tokens = tf.concat([normed, norm(context, `${name}.norm`, square)]); // [T, W]
  const rows = placeRows(tokens, grid.tokens) as tf.Tensor2D; // [P, W]
  const first = firstTokens(nTiles, config.landmarks, grid, (config.convTaps + 1) / 2);
  return attendClassToken(context, name, { rows, token: normed, first, looked: grid.ownTokens }, config);
}

function norm(context: ForwardContext, name: string, x: tf.Tensor2D): tf.Tensor2D {
  return layerNorm(x, context.parameter(`${name}.weight`), context.parameter(`${name}.bias`)) as tf.Tensor2D;
}
