import { DomainError } from "@parfocal/errors";
import { gridAngles, rotatePairs, tf } from "@parfocal/tensor";
import { createConfigReader } from "../config-reader.ts";
import { applyLinear } from "../layers/linear.ts";
import { languageFrequencies, pixelFrequencies, ROTARY_FAMILIES } from "../layers/rotary-frequencies.ts";
import {
  applyTransformerBlock,
  declareTransformerBlock,
  type Rotation,
  type TransformerBlockConfig,
} from "../layers/transformer-block.ts";
import type { ReembedderConfig, ReembedderDefinition, ReembedderInput } from "../model.ts";
import { linearParameters } from "../parameter.ts";

// Legend: N tiles, D features, W width.

/** Configuration of {@link roformerReembedder}. */
export interface RoformerConfig extends ReembedderConfig, TransformerBlockConfig {
  readonly kind: "roformer";
  readonly width: number;
  readonly heads: number;
  readonly mlpRatio: number;
  readonly dropout: number;
  /** Number of blocks. */
  readonly depth: number;
  /** Frequencies of the rotary encoding; `none`: attention does not know where tiles lie. */
  readonly rotary: (typeof ROTARY_FAMILIES)[number];
  /** Of the `pixel` family: its longest wave is twice as many cells. */
  readonly maxFrequency: number;
  /** Of the `lang` family and of the sine code. */
  readonly base: number;
  /** A code of the place added to the projected tiles. */
  readonly absolute: "none" | "sine";
}

/**
 * Self-attention of all tiles of one slide that knows their places: `Linear(D -> W)`, then pre-norm blocks whose queries and
 * keys are turned by the tile's cell on the slide, the first half of each head by its column, the second by its row.
 * Attention is exact, and linear in N in memory also in training. Scores depend on differences of cells only.
 *
 * Source: Pochet, Maroun and Trullo 2023 (RoFormer for position-aware multiple instance learning). Differs: angles are exact
 * at any distance (theirs come from a table of the run's precision). Of tiles that share a cell feeders keep the first, as theirs
 * do; without any code of places all stay.
 */
export const roformerReembedder: ReembedderDefinition<RoformerConfig> = {
  kind: "roformer",

  parseConfig(json) {
    const reader = createConfigReader(json, "reembed");
    const config: RoformerConfig = {
      kind: reader.choice("kind", ["roformer"]),
      width: reader.number("width", { min: 4, max: 4096, isInteger: true, fallback: 512 }),
      depth: reader.number("depth", { min: 1, max: 4, isInteger: true, fallback: 1 }),
      heads: reader.number("heads", { min: 1, max: 64, isInteger: true, fallback: 8 }),
      mlpRatio: reader.number("mlpRatio", { min: 1, max: 8, isInteger: true, fallback: 4 }),
      dropout: reader.number("dropout", { min: 0, max: 0.95, fallback: 0.25 }),
      rotary: reader.choice("rotary", ROTARY_FAMILIES, "pixel"),
      maxFrequency: reader.number("maxFrequency", { min: 4, max: 65_536, isInteger: true, fallback: 400 }),
      base: reader.number("base", { min: 2, max: 1e6, fallback: 10_000 }),
      absolute: reader.choice("absolute", ["none", "sine"], "none"),
    };
    reader.assertNoOthers();
    assertHeadsFit(config);
    return config;
  },

  outputWidth: (config) => config.width,

  sideInputs: (config) => (knowsPlaces(config) ? ["grid"] : []),

  hasUniqueCells: knowsPlaces,

  declare(config, dIn) {
    const blocks = blockNames(config).map((name) => declareTransformerBlock(config, name));
    return {
      parameters: [
        ...linearParameters("input", { nIn: dIn, nOut: config.width }),
        ...blocks.flatMap((block) => block.parameters),
      ],
      dropoutSites: blocks.flatMap((block) => block.dropoutSites),
    };
  },

  stem: {
    outputWidth: (config) => config.width,
    forward: (_config, tiles, context) => applyLinear(context, "input", tiles), // [R, W]
  },

  forward(config, input, context) {
    const placed = config.absolute === "sine" ? tf.add<tf.Tensor2D>(input.tiles, sineCode(config, input)) : input.tiles;
    const rotate = rotationOf(config, input);
    const tiles = blockNames(config).reduce(
      (x, name) => applyTransformerBlock(config, name, x, context, rotate),
      placed,
    );
    return { tiles };
  },
};

function knowsPlaces({ rotary, absolute }: RoformerConfig): boolean {
  return rotary !== "none" || absolute !== "none";
}

function blockNames({ depth }: RoformerConfig): string[] {
  return Array.from({ length: depth }, (_, i) => `blocks.${i}`);
}

/** @throws {DomainError} `INVALID_ARGUMENT` naming width and heads. */
function assertHeadsFit({ width, heads, rotary, absolute }: RoformerConfig): void {
  const multiple = rotary === "none" ? heads : 4 * heads;
  if (width % multiple === 0 && (absolute === "none" || width % 4 === 0)) return;
  const reason = rotary === "none" ? `${heads} heads` : `${heads} heads of pairs on two axes`;
  throw new DomainError("INVALID_ARGUMENT", `reembed.width is ${width}; ${reason} need a multiple of ${multiple}`, {
    details: { field: "reembed.width" },
  });
}

function gridOf({ grid }: ReembedderInput): tf.Tensor2D {
  if (grid !== undefined) return grid;
  throw new DomainError("INTERNAL", "roformer was run without the grid that it asks for");
}

/** Of the head's d channels d/4 pairs turn by the column, d/4 by the row. */
function rotationOf(config: RoformerConfig, input: ReembedderInput): Rotation {
  if (config.rotary === "none") return (x) => x;
  const nPairs = config.width / config.heads / 4;
  const frequencies =
    config.rotary === "pixel"
      ? pixelFrequencies(nPairs, config.maxFrequency)
      : languageFrequencies(nPairs, config.base);
  const angles = gridAngles(gridOf(input), frequencies); // [N, d/2]
  const [cos, sin] = [tf.cos(angles), tf.sin(angles)];
  return (x) => rotatePairs(x, cos, sin, config.heads) as tf.Tensor3D;
}

/** `[N, W]`: sine and cosine of each frequency side by side, those of the column first. */
function sineCode(config: RoformerConfig, input: ReembedderInput): tf.Tensor2D {
  const angles = gridAngles(gridOf(input), languageFrequencies(config.width / 4, config.base)); // [N, W/2]
  return tf.reshape(tf.stack([tf.sin(angles), tf.cos(angles)], 2), [-1, config.width]);
}
