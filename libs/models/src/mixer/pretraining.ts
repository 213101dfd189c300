import { DomainError } from "@parfocal/errors";
import { cosineDistance, type GraphPort, linear, lookupRows, tf } from "@parfocal/tensor";
import type { ParameterTensors } from "../build-model.ts";
import type { ForwardContext } from "../model.ts";
import type { ParameterSpec } from "../parameter.ts";
import { contrastiveLoss } from "./contrastive-loss.ts";
import { decodeRemoved, decoderBlocks, decoderParameters } from "./decoder.ts";
import { type PathSite, pathSites } from "./drop-path.ts";
import { declareEncoder, encoderBlocks, encodeTokens } from "./encoder.ts";
import { normaliseLevels } from "./level-norm.ts";
import { countKept } from "./masking.ts";
import { type PretrainModelConfig, parsePretrainModel } from "./pretrain-config.ts";
import { project, projectorParameters } from "./projector.ts";
import { countTokens, tokenLevels } from "./token-layout.ts";

// Legend: V views (regions that were cropped, turned and masked), N tokens of each, K kept, M removed, D features of a tile,
// L magnifications that are looked at, B branches of all blocks.

/** Tensors of a batch of views. */
export interface PretrainInput {
  /** `[V, N, D]`; zeros at missing tiles. With a contrastive objective rows 2i and 2i + 1 are the two views of source i. */
  readonly tokens: tf.Tensor3D;
  /** i32 `[V, K]` and `[V, M]`, places from 0 to N - 1. Where a view has fewer, any place fills up. */
  readonly kept: tf.Tensor2D;
  readonly removed: tf.Tensor2D;
  /** `[V, M]`: what each removed token takes in its view's loss, see `lossShares`; 0 where it only fills up. */
  readonly shares: tf.Tensor2D;
  /** i32 `[V, K]` and `[V, M]`, 0 where a place only fills up. Ragged graphs have them, full ones do not. */
  readonly keptPresent?: tf.Tensor2D;
  readonly removedPresent?: tf.Tensor2D;
  /** i32 `[V]`, a number for each view's slide; where negatives of the same slide are dropped. */
  readonly slides?: tf.Tensor1D;
  /**
   * `[V, P]`, for a part of a batch that is too large for one run: the gradient of the whole batch's contrastive loss by these
   * views' projections, see {@link PretrainModel.project}. The loss then has the gradient of the whole, not its value.
   *
   * Source: Gao et al. 2021, gradient caching.
   */
  readonly pulls?: tf.Tensor2D;
  /**
   * `[V, B]`, what each view's branches are multiplied by, in the order of {@link PretrainModel.paths}: 0 for one that is left out,
   * 1 / (1 - probability) for the others. Absent: nothing is left out.
   */
  readonly paths?: tf.Tensor2D;
}

/** What a batch of views gives. */
export interface PretrainOutput {
  /** The mean masked loss of the views, plus weight × contrastive loss. */
  readonly loss: tf.Scalar;
  readonly maskedLoss: tf.Scalar;
  /** Unweighted; absent without a contrastive objective, and with `pulls`. */
  readonly contrastiveLoss?: tf.Scalar;
  /** `[L]`: sum of 1 - cosine over the removed tokens of each magnification, in the order of `mixer.levels`. */
  readonly levelSums: tf.Tensor1D;
  /** `[L]`: how many they were. */
  readonly levelCounts: tf.Tensor1D;
}

/** The network of a pretraining: encoder, decoder and projector. */
export interface PretrainModel {
  readonly config: PretrainModelConfig;
  /** N. */
  readonly nTokens: number;
  /** K and M of a region without missing tiles: what the inputs are padded to. */
  readonly nKept: number;
  readonly nRemoved: number;
  /** The encoder's begin with `reembed.` and are those of a model with the re-embedder; then `decoder.` and `projector.`. */
  readonly parameters: readonly ParameterSpec[];
  /** The branches that training leaves out of some views, with how often: `[B]`, the encoder's first; empty without drop-path. */
  readonly paths: readonly PathSite[];
  /** A pure function. */
  forward(input: PretrainInput, parameters: ParameterTensors): PretrainOutput;
  /**
   * The projections `[V, P]` of views and the contrastive loss of those of a whole batch, for batches of several runs. Absent without
   * a contrastive objective.
   */
  readonly contrastive?: {
    /** P. */
    readonly width: number;
    project(input: ProjectionInput, parameters: ParameterTensors): tf.Tensor2D;
    loss(projections: tf.Tensor2D, slides?: tf.Tensor1D): tf.Scalar;
  };
}

/** What projections are made of. */
type ProjectionInput = Pick<PretrainInput, "tokens" | "kept" | "keptPresent" | "paths">;

/**
 * The network that `config` describes. Building allocates nothing.
 *
 * @throws {DomainError} `INVALID_ARGUMENT` as {@link parsePretrainModel}; when the ratio keeps or removes nothing of a full region.
 */
export function buildPretrainModel(config: unknown): PretrainModel {
  const parsed = parsePretrainModel(config);
  const { dIn, mixer, masked, contrastive } = parsed;
  const nTokens = countTokens(mixer);
  const nKept = countKept(nTokens, masked.removalRatio);
  assertBothSides(masked.removalRatio, nTokens, nKept);
  return {
    config: parsed,
    nTokens,
    nKept,
    nRemoved: nTokens - nKept,
    parameters: [
      ...prefixed("reembed", declareEncoder(mixer, dIn).parameters),
      ...prefixed("decoder", decoderParameters(parsed)),
      ...(contrastive ? prefixed("projector", projectorParameters(mixer, contrastive)) : []),
    ],
    paths: pretrainPaths(parsed),
    forward: (input, parameters) => forward(parsed, input, parameters),
    ...(contrastive && {
      contrastive: {
        width: contrastive.projectionWidth,
        project: (input, parameters) => projectClasses(parsed, encodeKept(parsed, input, parameters), parameters),
        loss: (projections, slides) => contrastiveLoss(projections, contrastive.temperature, slides),
      },
    }),
  };
}

/** How a graph of a pretraining takes its views. */
export interface PretrainPortOptions {
  /** Number of views V, or its symbol. */
  readonly nViews: number | string;
  /** Whether views may have missing tiles. */
  readonly isRagged: boolean;
  /** Element type of the tokens; halves are widened in the graph. */
  readonly featureType: "f32" | "f16";
  /** Whether the contrastive loss comes as `pulls`; default false. */
  readonly hasPulls?: boolean;
  /** Whether branches drop as the input `paths` says; default false, as in measuring. */
  readonly dropsPaths?: boolean;
}

/** The inputs of a graph by the names of {@link PretrainInput}. */
export function pretrainPorts(model: PretrainModel, options: PretrainPortOptions): GraphPort[] {
  const { nViews, isRagged, featureType, hasPulls = false, dropsPaths = false } = options;
  const { config, nTokens, nKept, nRemoved, paths } = model;
  const port = (name: keyof PretrainInput, dtype: GraphPort["dtype"], ...rest: number[]): GraphPort => {
    return { name, dtype, shape: [nViews, ...rest] };
  };
  const presence = [port("keptPresent", "i32", nKept), port("removedPresent", "i32", nRemoved)];
  return [
    port("tokens", featureType, nTokens, config.dIn),
    port("kept", "i32", nKept),
    port("removed", "i32", nRemoved),
    port("shares", "f32", nRemoved),
    ...(isRagged ? presence : []),
    ...(config.contrastive?.dropSameSlideNegatives && !hasPulls ? [port("slides", "i32")] : []),
    ...(config.contrastive && hasPulls ? [port("pulls", "f32", config.contrastive.projectionWidth)] : []),
    ...(dropsPaths && paths.length > 0 ? [port("paths", "f32", paths.length)] : []),
  ];
}

/** The inputs of a graph of projections alone. */
export function projectionPorts(model: PretrainModel, options: PretrainPortOptions): GraphPort[] {
  const wanted: readonly (keyof ProjectionInput)[] = ["tokens", "kept", "keptPresent", "paths"];
  return pretrainPorts(model, options).filter(({ name }) => wanted.some((other) => other === name));
}

/** The views among the tensors of a graph with {@link pretrainPorts}. */
export function pretrainInputFromPorts(tensors: Readonly<Record<string, tf.Tensor>>): PretrainInput {
  const always = ["tokens", "kept", "removed", "shares"] as const;
  const names = [...always, "keptPresent", "removedPresent", "slides", "pulls", "paths"] as const;
  const present = names.flatMap((name) => (tensors[name] === undefined ? [] : [[name, tensors[name]] as const]));
  return Object.fromEntries(present) as unknown as PretrainInput;
}

function forward(config: PretrainModelConfig, input: PretrainInput, parameters: ParameterTensors): PretrainOutput {
  const { contrastive } = config;
  const encoded = encodeKept(config, input, parameters); // [V, C + K, W]
  const drops = { hasDropPath: input.paths !== undefined };
  const context = contextOf("decoder", parameters, branchFactors(config, input.paths));
  const predicted = decodeRemoved(config, { ...input, encoded }, context, drops); // [V·M, D]
  const nViews = input.tokens.shape[0];
  const distances = cosineDistance(takeTokens(input.tokens, input.removed), predicted); // [V·M]
  const shared = tf.mul(distances, tf.reshape(input.shares, [-1]));
  const maskedLoss = tf.sum<tf.Scalar>(tf.mean(tf.reshape(shared, [nViews, -1]), 0));
  const levels = levelStatistics(config, input, distances);
  if (contrastive === undefined) return { loss: maskedLoss, maskedLoss, ...levels };
  const projections = projectClasses(config, encoded, parameters);
  const { pulls } = input;
  if (pulls !== undefined) {
    const pulled = tf.sum<tf.Scalar>(tf.mul(projections, pulls));
    return { loss: tf.add(maskedLoss, tf.mul(pulled, contrastive.weight)), maskedLoss, ...levels };
  }
  const contrast = contrastiveLoss(projections, contrastive.temperature, input.slides);
  const loss = tf.add<tf.Scalar>(maskedLoss, tf.mul(contrast, contrastive.weight));
  return { loss, maskedLoss, contrastiveLoss: contrast, ...levels };
}

/** `[V, P]` of `encoded` `[V, C + K, W]`. */
function projectClasses(
  { mixer }: PretrainModelConfig,
  encoded: tf.Tensor3D,
  parameters: ParameterTensors,
): tf.Tensor2D {
  const classes = tf.slice(encoded, [0, 0, 0], [-1, mixer.classTokens, -1]);
  return project(classes, contextOf("projector", parameters));
}

/** The encoder on the tokens that are left, each with the code of its place. */
function encodeKept(
  config: PretrainModelConfig,
  { tokens, kept, keptPresent, paths }: ProjectionInput,
  parameters: ParameterTensors,
): tf.Tensor3D {
  const { mixer } = config;
  const context = contextOf("reembed", parameters, branchFactors(config, paths));
  const [nViews, nKept] = kept.shape;
  const rows = takeTokens(mixer.levelNorm ? normaliseLevels(mixer, tokens, context) : tokens, kept); // [V·K, D]
  const input = linear(rows, context.parameter("input.weight"), context.parameter("input.bias")); // [V·K, W]
  const codes = lookupRows(context.parameter("positions"), tf.reshape(kept, [-1]));
  const placed: tf.Tensor3D = tf.reshape(tf.add(input, codes), [nViews, nKept, mixer.width]);
  const batch = { tokens: placed, ...(keptPresent && { isPresent: keptPresent }) };
  return encodeTokens(mixer, batch, context, { hasDropPath: paths !== undefined });
}

/** The branches of encoder and decoder by their full names. */
function pretrainPaths(config: PretrainModelConfig): PathSite[] {
  const { dropPath } = config.mixer;
  return [
    ...prefixed("reembed", pathSites(encoderBlocks(config.mixer), dropPath)),
    ...prefixed("decoder", pathSites(decoderBlocks(config), dropPath)),
  ];
}

/** What views `[V, 1, 1]` multiply a branch by, by its full name; none where nothing is left out. */
type BranchFactors = (name: string) => tf.Tensor3D | undefined;

function branchFactors(config: PretrainModelConfig, paths: tf.Tensor2D | undefined): BranchFactors {
  if (paths === undefined) return () => undefined;
  const names = pretrainPaths(config).map(({ name }) => name);
  return (name) => {
    const at = names.indexOf(name);
    return at < 0 ? undefined : tf.expandDims<tf.Tensor3D>(tf.slice(paths, [0, at], [-1, 1]), 2);
  };
}

/** Tokens at `places` `[V, n]` of every view, `[V·n, D]`. */
function takeTokens(tokens: tf.Tensor3D, places: tf.Tensor2D): tf.Tensor2D {
  const [nViews, nTokens, width] = tokens.shape;
  const views = tf.mul(tf.range(0, nViews, 1, "int32"), tf.scalar(nTokens, "int32"));
  const rows = tf.reshape(tf.add(places, tf.expandDims(views, 1)), [-1]) as tf.Tensor1D;
  return tf.gather(tf.reshape(tokens, [-1, width]), rows) as tf.Tensor2D;
}

function levelStatistics(
  { mixer }: PretrainModelConfig,
  { removed, removedPresent }: PretrainInput,
  distances: tf.Tensor,
): Pick<PretrainOutput, "levelSums" | "levelCounts"> {
  const isAt = tokenLevels(mixer).map((level) => mixer.levels.map((other) => Number(level === other)));
  const table = tf.tensor2d(isAt, [isAt.length, mixer.levels.length]);
  const found = tf.gather(table, tf.reshape(removed, [-1]) as tf.Tensor1D); // [V·M, L]
  const counted =
    removedPresent === undefined ? found : tf.mul(found, tf.cast(tf.reshape(removedPresent, [-1, 1]), "float32"));
  const sums = tf.sum<tf.Tensor1D>(tf.mul(counted, tf.reshape(distances, [-1, 1])), 0);
  return { levelSums: sums, levelCounts: tf.sum(counted, 0) };
}

function assertBothSides(ratio: number, nTokens: number, nKept: number): void {
  if (nKept > 0 && nKept < nTokens) return;
  const message = `pretrain.masked.removalRatio is ${ratio}; of ${nTokens} tokens it must keep and remove at least one`;
  throw new DomainError("INVALID_ARGUMENT", message, { details: { field: "pretrain.masked.removalRatio" } });
}

function prefixed<T extends { readonly name: string }>(prefix: string, specs: readonly T[]): T[] {
  return specs.map((spec) => ({ ...spec, name: `${prefix}.${spec.name}` }));
}

function contextOf(
  prefix: string,
  parameters: ParameterTensors,
  factors: BranchFactors = () => undefined,
): ForwardContext {
  return {
    parameter<T extends tf.Tensor>(name: string): T {
      const value = parameters[`${prefix}.${name}`];
      if (value === undefined) throw new DomainError("INTERNAL", `no value for parameter ${prefix}.${name}`);
      return value as T;
    },
    isInference: false,
    dropout<T extends tf.Tensor>(site: string, x: T): T {
      const factor = factors(`${prefix}.${site}`);
      return factor === undefined ? x : tf.mul<T>(x, factor);
    },
    draw: (_site, fixed) => fixed,
  };
}
