/**
 * The seams of a model. Legend: N tiles of a bag, D features of a tile, A attention branches, K logits.
 *
 * A model is `standardise? -> re-embedder [N, D] -> [N, D'] -> head [N, D'] -> logits [K]`, each stage a pure function of
 * tensors and named parameters. The same function runs eagerly, is captured for serving, and is differentiated and
 * captured for training; nothing in it may look at the value of a tensor or branch on N.
 */
import type { tf } from "@parfocal/tensor";
import type { ConfigObject } from "./config-reader.ts";
import type { ParameterSpec, Weights } from "./parameter.ts";
import type { Link } from "./task.ts";

/** The symbolic dimension of the tiles of a bag. */
export const TILES = "N";

/** The symbolic dimension of the regions of a bag. */
export const REGIONS = "R";

/** The symbolic dimension of the tiles of a bag that are looked at, where a model takes some magnifications only. */
export const KEPT_TILES = "M";

/** A size that differs from bag to bag. */
export type BagSize = typeof TILES | typeof REGIONS | typeof KEPT_TILES;

/** A place where training drops activations, or draws. */
export interface DropoutSite {
  /** Dotted path, unique in the model; the graph's input is `random.<name>`. */
  readonly name: string;
  /** Shape of the activation; a name for a size of the bag. */
  readonly shape: readonly (number | BagSize)[];
  /** Probability of dropping, from 0 to 0.95. */
  readonly probability: number;
  /** Nothing is dropped here: the words themselves are looked at, see {@link ForwardContext.draw}. The probability is 0. */
  readonly isDraw?: true;
}

/** What a stage gets beside its tensors. Names are the stage's own; the model puts the stage's prefix before them. */
export interface ForwardContext {
  /** The value of a parameter that the stage declared. */
  parameter<T extends tf.Tensor>(name: string): T;
  /** Whether nobody asks for gradients: loops whose blocks leave nothing behind are then the better form. */
  readonly isInference: boolean;
  /** `x` with the activations of a declared site dropped in training; `x` itself at inference. */
  dropout<T extends tf.Tensor>(site: string, x: T): T;
  /** The random words of a declared site of draws in training, whole numbers uniform on 0 to 65 535; `fixed` itself at inference. */
  draw<T extends tf.Tensor>(site: string, fixed: T): T;
}

/** What a stage can be asked before any tensor exists. */
export interface StageDeclaration {
  readonly parameters: readonly ParameterSpec[];
  readonly dropoutSites: readonly DropoutSite[];
}

/** What a head sits between. */
export interface HeadWidths {
  /** Features of a tile as the head gets them. */
  readonly dIn: number;
  readonly nLogits: number;
  /** How the logits become probabilities. */
  readonly link: Link;
}

/** What a head makes of one bag. */
export interface HeadOutput {
  /** `[K]`. */
  readonly logits: tf.Tensor1D;
  /**
   * `[N, A]`: weights, each column summing to 1 over the tiles; or of heads that classify every tile the tiles' own logits, at inference
   * alone. Absent in heads that have neither.
   */
  readonly attention?: tf.Tensor2D;
  /** A second opinion that trains and is not served. */
  readonly auxiliary?: AuxiliaryOutput;
  /**
   * What training makes small in place of the task's loss of `logits`, for heads whose loss needs the bag's target; nothing of it is
   * computed elsewhere. Absent: that loss, and the second opinion's share of it.
   */
  readonly objective?: (target: BagTarget) => tf.Scalar;
}

/** What a head's own objective may ask of a bag's target. Legend: K logits. */
export interface BagTarget {
  /** `[K]`: 1 for what the bag is, 0 for what it is not and for what nobody knows. */
  readonly isTrue: tf.Tensor1D;
  /** `[K]`: how much each counts in the loss, 0 for what nobody knows. */
  readonly weights: tf.Tensor1D;
  /** The task's loss of other logits `[K]` for the same target: with its smoothing, weights and shares. */
  lossOf(logits: tf.Tensor1D): tf.Scalar;
}

/** Logits that train beside the served ones: the loss is `(1 - weight) loss(logits) + weight loss(auxiliary.logits)`. */
export interface AuxiliaryOutput {
  /** `[K]`. */
  readonly logits: tf.Tensor1D;
  /** 0 to 1. */
  readonly weight: number;
}

/**
 * A way to aggregate the tiles of a bag. Adding one is one file beside the others and one line in `registry.ts`.
 */
export interface HeadDefinition<C extends HeadConfig> {
  /** Value of `kind` in configurations. */
  readonly kind: C["kind"];
  /**
   * Reads a configuration strictly, giving every default a value.
   *
   * @throws {DomainError} `INVALID_ARGUMENT` naming an unknown field, or field, value and bound.
   */
  parseConfig(json: unknown, defaults: HeadDefaults): C;
  /** Parameters and dropout sites. */
  declare(config: C, widths: HeadWidths): StageDeclaration;
  /** Number of attention branches A, columns of {@link HeadOutput.attention}; 0 without it. */
  countBranches(config: C, widths: HeadWidths): number;
  /** `tiles` `[N, D']`, N at least 1. */
  forward(config: C, tiles: tf.Tensor2D, context: ForwardContext, widths: HeadWidths): HeadOutput;
}

/** What a head's defaults may depend on. */
export interface HeadDefaults {
  /** Multi-label tasks default to one attention branch per class. */
  readonly isMultilabel: boolean;
}

/** A head's configuration: JSON with a kind. */
export interface HeadConfig extends ConfigObject {
  readonly kind: string;
}

/**
 * What a model may ask of a bag beyond its features. Each is fed by i32 inputs of its own, see {@link SideTensors}:
 *
 * - `coords`: level-0 pixels of the tiles' corners as the bag has them;
 * - `grid`: cells on the slide, which the feeder makes of the coordinates by `gridFromCoords`;
 * - `kept`: which tiles are looked at, those of the magnifications that {@link RegionRule.levels} names;
 * - `regions`: which tiles lie together in regions, see {@link RegionRule}.
 */
export type SideInput = "coords" | "grid" | "kept" | "regions";

/**
 * What a feeder must know to make `kept` and `regions`. Magnifications count from the coarsest, 0, to the finest, L - 1; the
 * canonical bag's `level` counts the other way.
 */
export interface RegionRule {
  /** L, magnifications of the bags, each twice the one before. */
  readonly levelCount: number;
  /** Which of them are looked at, ascending. */
  readonly levels: readonly number[];
  /** r: coarse tiles along the side of a region. */
  readonly regionTiles: number;
}

/**
 * The tensors of the side inputs of one bag, i32, each under the name of the graph's input. N tiles, M of them looked at, R regions
 * of T tokens.
 */
export interface SideTensors {
  /** `[N, 2]` (x, y), of `coords`. */
  readonly coords?: tf.Tensor2D;
  /** `[N, 2]` (x, y), of `grid`. */
  readonly grid?: tf.Tensor2D;
  /** `[M]`, of `kept`: numbers of the bag's rows, ascending. */
  readonly kept?: tf.Tensor1D;
  /**
   * `[R, T]`, of `regions`: the tile of each token, tokens of the looked-at magnifications in the order of levels, coarse to
   * fine, each row by row; N where there is none. With `kept` tiles count among those, and M stands for none.
   */
  readonly slots?: tf.Tensor2D;
  /** `[N]`, of `regions`: where each tile lies in `slots`, r·T + t; every tile lies in one region. With `kept` `[M]`. */
  readonly places?: tf.Tensor1D;
}

/**
 * What the rows are that a re-embedder gives: `tiles`, those of the bag; `kept`, the ones that its side input `kept` names; `regions`, one
 * per region in the order of `slots`.
 */
export type OutputRows = "tiles" | "kept" | "regions";

/** How many rows a head gets, by what they are. */
export const ROW_SIZES: Readonly<Record<OutputRows, BagSize>> = { tiles: TILES, kept: KEPT_TILES, regions: REGIONS };

/** What a re-embedder gets; of the side inputs those that the definition asks for. */
export interface ReembedderInput extends SideTensors {
  /** `[N, D]`; for a re-embedder with a stem, what the stem made of it, `[N, W]`. */
  readonly tiles: tf.Tensor2D;
}

/** What a re-embedder makes of one bag. */
export interface ReembedderOutput {
  /** `[N, D']`; `[M, D']` or `[R, D']` where {@link OutputRows} says so. */
  readonly tiles: tf.Tensor2D;
  /** Scalars added to the training loss as they are (auxiliary objectives), by name. */
  readonly lossTerms?: Readonly<Record<string, tf.Scalar>>;
}

/** A re-embedder's configuration: JSON with a kind. */
export interface ReembedderConfig extends ConfigObject {
  readonly kind: string;
}

/**
 * The first layers of a re-embedder, as far as they look at one tile at a time: rows of a large bag go through them as
 * they arrive, and only `[N, W]` has to be held.
 */
export interface StemDefinition<C extends ReembedderConfig> {
  /** W for D. */
  outputWidth(config: C, dIn: number): number;
  /**
   * `tiles` `[R, D]` -> `[R, W]`, every row by itself, for any R. Parameters and dropout sites are the re-embedder's own,
   * declared with the others by its `declare`.
   */
  forward(config: C, tiles: tf.Tensor2D, context: ForwardContext): tf.Tensor2D;
}

/**
 * Where a re-embedder's parameters stand in its depth, for step sizes that fall towards the input. A parameter belongs to the
 * name that it lies below; what lies below none of them is the input's.
 */
export interface DepthRule {
  /** Blocks in their order. */
  readonly blocks: readonly string[];
  /** What follows the last block. */
  readonly output: readonly string[];
}

/** A re-embedder that gives the same by fewer operations and that nobody trains. */
export interface FoldedReembedder {
  readonly config: ReembedderConfig;
  /** Its parameters from those of the trained one, under the names of the model. */
  weights(trained: Weights): Weights;
}

/**
 * A way to re-embed the tiles of a bag in the light of each other. Adding one is one file and one line in `registry.ts`.
 */
export interface ReembedderDefinition<C extends ReembedderConfig> {
  readonly kind: C["kind"];
  /** @throws {DomainError} `INVALID_ARGUMENT` naming an unknown field, or field, value and bound. */
  parseConfig(json: unknown): C;
  /** D' for D. */
  outputWidth(config: C, dIn: number): number;
  /** Which inputs it needs beyond the features; bags without them are refused before any run. */
  sideInputs(config: C): readonly SideInput[];
  /** Present when it asks for `kept` or `regions`. */
  regions?(config: C): RegionRule;
  /** Absent: `tiles`. */
  outputRows?(config: C): OutputRows;
  /** Whether it takes one tile of each cell of the grid: feeders leave out all but the first, see `gridFromCoords`. Absent: all tiles. */
  hasUniqueCells?(config: C): boolean;
  /** Parameters and dropout sites. */
  declare(config: C, dIn: number): StageDeclaration;
  /** Present when the first layers look at one tile at a time; `forward` then gets `[N, W]` from it. */
  readonly stem?: StemDefinition<C>;
  /** Absent: parameters below `blocks.<i>` are blocks, those below `norm` the output. */
  depth?(config: C): DepthRule;
  /** What serves in its place, if that is another: absent, or undefined for a configuration, it serves as it is. */
  folded?(config: C): FoldedReembedder | undefined;
  forward(config: C, input: ReembedderInput, context: ForwardContext): ReembedderOutput;
}
