import { gelu, indexVector, layerNorm, placeRows, takeRows, tf } from "@parfocal/tensor";
import { attendAcrossRegions } from "../layers/cross-region-attention.ts";
import { applyLinear } from "../layers/linear.ts";
import { attendInRegions, epegTaps } from "../layers/region-attention.ts";
import { createRegionGrid, type RegionGrid } from "../layers/region-grid.ts";
import { convolveSquare, squareConvolution } from "../layers/square-convolution.ts";
import type { ForwardContext, ReembedderDefinition, ReembedderInput } from "../model.ts";
import { parseR2tConfig, type R2tConfig } from "./r2t-config.ts";
import {
  blockNames,
  CROSS,
  crossOptions,
  declareR2t,
  encoderWidth,
  hasFixedRegions,
  regionalName,
  regionRule,
  representativeSite,
} from "./r2t-parameters.ts";

/**
 * R2T, the re-embedded regional transformer: a stem, attention inside the regions of the bag (R-MSA with EPEG), attention across
 * regions through representatives (CR-MSA), each with a residual, and a norm.
 *
 * Source: Tang et al. 2024 (CVPR, arXiv:2402.17228) and its public program (DearCaat/RRT-MIL at 7ecbdfb). Differs: `compat:
 * "reference"` gives the same numbers up to rounding; `compat: "corrected"` lets padding take no part, cuts both kinds of
 * blocks by the same rule and can cut by place on the slide.
 */
export const r2tReembedder: ReembedderDefinition<R2tConfig> = {
  kind: "r2t",
  parseConfig: parseR2tConfig,
  outputWidth: encoderWidth,
  sideInputs: ({ grid }) => (grid === "coordinates" ? ["coords"] : []),
  declare: declareR2t,
  depth: (config) => ({ blocks: blockNames(config), output: ["norm"] }),

  stem: {
    outputWidth: encoderWidth,
    forward({ stemWidth, stemActivation }, tiles, context) {
      if (stemWidth === 0) return tiles;
      const layer = applyLinear(context, "stem", tiles); // [R, C]
      return context.dropout("stem", stemActivation === "none" ? layer : activate(stemActivation, layer));
    },
  },

  forward(config, input, context) {
    const encoder = createEncoder(config, input, context);
    const shouldEncode = (place: R2tConfig["positionPlace"]) =>
      config.position !== "none" && config.positionPlace === place;
    let tiles = shouldEncode("first") ? encoder.position(input.tiles) : input.tiles; // [N, C]
    for (let i = 0; i < config.nLayers - 1; i++) {
      if (i === 1 && shouldEncode("second")) tiles = encoder.position(tiles);
      tiles = encoder.regional(regionalName(i), tiles);
    }
    if (config.crmsa) tiles = encoder.cross(tiles);
    if (config.allShortcut) tiles = tf.add(tiles, input.tiles);
    return { tiles: norm(context, "norm", tiles) };
  },
};

/** The blocks of one bag, each `[N, C]` -> `[N, C]`. */
interface Encoder {
  position(tiles: tf.Tensor2D): tf.Tensor2D;
  regional(name: string, tiles: tf.Tensor2D): tf.Tensor2D;
  cross(tiles: tf.Tensor2D): tf.Tensor2D;
}

function createEncoder(config: R2tConfig, input: ReembedderInput, context: ForwardContext): Encoder {
  const gridOf = (block: "regional" | "cross"): RegionGrid =>
    createRegionGrid(input.tiles, regionRule(config, block), {
      isMasked: config.compat === "corrected",
      ...(config.grid === "coordinates" && input.coords && { coords: input.coords }),
    });
  return {
    position: (tiles) => encodePosition(config, context, tiles),
    regional: (name, tiles) =>
      finishBlock(config, context, name, tiles, regionalBranch(config, context, name, tiles, gridOf("regional"))),
    cross: (tiles) => finishBlock(config, context, CROSS, tiles, crossBranch(config, context, tiles, gridOf("cross"))),
  };
}

function encodePosition(config: R2tConfig, context: ForwardContext, tiles: tf.Tensor2D): tf.Tensor2D {
  const { position, positionKernel, position1d } = config;
  if (position === "none") return tiles;
  return convolveSquare(context, "position", tiles, squareConvolution(position, positionKernel, position1d));
}

/** R-MSA of the normed tiles. */
function regionalBranch(
  config: R2tConfig,
  context: ForwardContext,
  name: string,
  tiles: tf.Tensor2D,
  grid: RegionGrid,
): tf.Tensor2D {
  const { heads, qkvBias, epegKernel: nTaps } = config;
  const normed = norm(context, `${name}.norm`, tiles);
  const taps = nTaps > 0 && { taps: epegTaps(context, name) };
  const attended = attendInRegions(context, name, normed, grid, { heads, hasBias: qkvBias, ...taps }); // [N, C]
  return context.dropout(`${name}.proj`, attended);
}

/** CR-MSA of the normed tiles. */
function crossBranch(config: R2tConfig, context: ForwardContext, tiles: tf.Tensor2D, grid: RegionGrid): tf.Tensor2D {
  const rows = placeRows(norm(context, `${CROSS}.norm`, tiles), grid.placement) as tf.Tensor2D; // [Q, C]
  const drop = (x: tf.Tensor2D) => dropRepresentatives(config, context, x, tiles.shape[0]);
  const sent = attendAcrossRegions(context, CROSS, { rows, grid, drop }, crossOptions(config)); // [Q, C]
  return takeRows(sent, grid.placement) as tf.Tensor2D;
}

/**
 * Dropout of representatives `[K·G, C]`. A site's shape is fixed or N, and G may be neither: then what is kept of ones of the
 * site's shape is read row by row, as far as there are representatives.
 */
function dropRepresentatives(config: R2tConfig, context: ForwardContext, x: tf.Tensor2D, nTiles: number): tf.Tensor2D {
  const { name, shape } = representativeSite(config, x.shape[1]);
  if (config.dropout === 0) return x;
  if (hasFixedRegions(config)) return context.dropout(name, x);
  const whole = tf.fill(
    shape.map((size) => (typeof size === "number" ? size : nTiles)),
    1,
  );
  const kept = context.dropout(name, whole);
  if (kept === whole) return x;
  const [nRows, width] = x.shape;
  const rows: tf.Tensor2D = tf.reshape(kept, [-1, width]);
  return tf.mul(
    x,
    tf.gather(
      rows,
      indexVector(nRows, [], (_math, [i]) => i),
    ),
  );
}

/** The residual around a branch, then the feed-forward layer if the blocks have one. */
function finishBlock(
  config: R2tConfig,
  context: ForwardContext,
  name: string,
  tiles: tf.Tensor2D,
  branch: tf.Tensor2D,
): tf.Tensor2D {
  const attended = tf.add<tf.Tensor2D>(tiles, dropPath(config, context, `${name}.path`, branch));
  if (!config.ffn) return attended;
  const up = applyLinear(context, `${name}.ffn.up`, norm(context, `${name}.ffn.norm`, attended)); // [N, 4C]
  const hidden = context.dropout(`${name}.ffn.up`, activate(config.ffnActivation, up));
  const down = context.dropout(`${name}.ffn.down`, applyLinear(context, `${name}.ffn.down`, hidden)); // [N, C]
  return tf.add(attended, dropPath(config, context, `${name}.ffn.path`, down));
}

/** The whole branch dropped or kept, as one flip of a coin. */
function dropPath(config: R2tConfig, context: ForwardContext, site: string, branch: tf.Tensor2D): tf.Tensor2D {
  if (config.dropPath === 0) return branch;
  const whole: tf.Tensor2D = tf.ones([1, 1]);
  const kept = context.dropout(site, whole);
  return kept === whole ? branch : tf.mul(branch, kept);
}

function norm(context: ForwardContext, name: string, x: tf.Tensor2D): tf.Tensor2D {
  return layerNorm(x, context.parameter(`${name}.weight`), context.parameter(`${name}.bias`)) as tf.Tensor2D;
}

function activate(activation: "relu" | "gelu", x: tf.Tensor2D): tf.Tensor2D {
  return activation === "relu" ? tf.relu(x) : (gelu(x) as tf.Tensor2D);
}
