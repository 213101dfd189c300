import { DomainError } from "@parfocal/errors";
import type { tf } from "@parfocal/tensor";
import { type ConfigObject, createConfigReader } from "./config-reader.ts";
import { applyStandardise, standardiseParameters } from "./layers/standardise.ts";
import { MAX_WIDTH } from "./layers/trunk.ts";
import {
  type AuxiliaryOutput,
  type DepthRule,
  type DropoutSite,
  type FoldedReembedder,
  type ForwardContext,
  type HeadConfig,
  type HeadOutput,
  type HeadWidths,
  type OutputRows,
  type ReembedderConfig,
  type ReembedderInput,
  type ReembedderOutput,
  type RegionRule,
  ROW_SIZES,
  type SideInput,
  type SideTensors,
  type StageDeclaration,
  TILES,
} from "./model.ts";
import { declareOrdinal, ordinalLogits, withLogits } from "./ordinal-link.ts";
import type { ParameterSpec } from "./parameter.ts";
import { type Head, parseHead, parseReembedder, type Reembedder } from "./registry.ts";
import { countLogits, headOutputs, parseTask, type Task } from "./task.ts";

/** Everything that determines a model's architecture; JSON, with every default filled in. */
export interface ModelConfig {
  /** Features of a tile. */
  readonly dIn: number;
  /** Whether features are standardised by the mean and deviation of the training split first. */
  readonly standardise: boolean;
  readonly reembed: ReembedderConfig;
  readonly head: HeadConfig;
  readonly task: Task;
}

/** Tensors of one bag; of the side inputs those that the model's `sideInputs` name. */
export interface ModelInput extends SideTensors {
  /** `[N, D]` f32. */
  readonly features: tf.Tensor2D;
}

/** What a model makes of one bag. */
export interface ModelOutput {
  /** `[K]`. */
  readonly logits: tf.Tensor1D;
  /** `[N, A]`, see {@link HeadOutput.attention}. */
  readonly attention?: tf.Tensor2D;
  /** The head's second opinion, see {@link AuxiliaryOutput}. */
  readonly auxiliary?: AuxiliaryOutput;
  /** The head's own objective, see {@link HeadOutput}. */
  readonly objective?: NonNullable<HeadOutput["objective"]>;
  /** Auxiliary objectives of the re-embedder, added to the training loss. */
  readonly lossTerms: Readonly<Record<string, tf.Scalar>>;
}

/** Tensors of a model's parameters by name. */
export type ParameterTensors = Readonly<Record<string, tf.Tensor>>;

/** Drops activations of a site, or gives the words of a site of draws; identity at inference. */
export type DropoutFunction = <T extends tf.Tensor>(site: DropoutSite, x: T) => T;

/** A model: an architecture without values. */
export interface Model {
  readonly config: ModelConfig;
  /** K, columns of a target; see `countLogits`. */
  readonly nLogits: number;
  /** Attention branches A; 0 without attention. */
  readonly nBranches: number;
  readonly parameters: readonly ParameterSpec[];
  /** Sites with a probability above 0, and those of draws. */
  readonly dropoutSites: readonly DropoutSite[];
  readonly sideInputs: readonly SideInput[];
  /** What feeders of `kept` and `regions` must know; absent when neither is among the side inputs. */
  readonly regions?: RegionRule;
  /** What the rows are that the re-embedder gives. */
  readonly outputRows: OutputRows;
  /** Whether feeders leave out all but the first tile of each cell of the grid. */
  readonly hasUniqueCells: boolean;
  /** Whether tiles are re-embedded before the head. */
  readonly hasReembedder: boolean;
  /** Whether there is a head; a model of the task `embedding` has none and decides nothing. */
  readonly hasHead: boolean;
  /** W: features of a tile between stem and body; absent when the re-embedder has no stem of its own. */
  readonly stemWidth?: number;
  /** What serves in the re-embedder's place; absent: it serves as it is. */
  readonly folded?: FoldedReembedder;
  /** Where the re-embedder's parameters stand in its depth, by their full names. */
  readonly depth: DepthRule;
  /** D': features of a tile as the head gets them. */
  readonly tileWidth: number;
  /** The parts that are served apart; one after the other they are {@link Model.forward}. */
  readonly stages: ModelStages;
  /** A pure function; `dropout` absent means inference. */
  forward(input: ModelInput, parameters: ParameterTensors, dropout?: DropoutFunction): ModelOutput;
}

/** A model in parts, each a pure function; `dropout` absent means inference. */
export interface ModelStages {
  /** Standardisation and the re-embedder's stem, each row by itself: `[N, D]` -> `[N, W]`. */
  stem(features: tf.Tensor2D, parameters: ParameterTensors, dropout?: DropoutFunction): tf.Tensor2D;
  /** The rest of the re-embedder: `[N, W]` -> `[N, D']`. */
  body(input: ReembedderInput, parameters: ParameterTensors, dropout?: DropoutFunction): ReembedderOutput;
  /** The head: `[N, D']` -> logits. */
  head(tiles: tf.Tensor2D, parameters: ParameterTensors, dropout?: DropoutFunction): HeadOutput;
}

/**
 * Reads a model's configuration: `dIn`, `standardise` (default false), `reembed` (default none), `head`, `task`.
 *
 * @throws {DomainError} `INVALID_ARGUMENT` naming an unknown field, or field, value and bound.
 */
export function parseModelConfig(json: unknown): ModelConfig {
  return readModel(json).config;
}

/**
 * The model that `config` describes. Building allocates nothing; values come from `initialiseParameters` or a package.
 *
 * @throws {DomainError} `INVALID_ARGUMENT` as {@link parseModelConfig}.
 */
export function buildModel(config: unknown): Model {
  const { config: parsed, head, reembedder } = readModel(config);
  const widths = { dIn: reembedder.outputWidth(parsed.dIn), ...headOutputs(parsed.task) };
  const standardise: StageDeclaration = {
    parameters: parsed.standardise ? standardiseParameters(parsed.dIn) : [],
    dropoutSites: [],
  };
  const declarations = {
    standardise,
    reembed: reembedder.declare(parsed.dIn),
    head: onRows(reembedder.outputRows, head.declare(widths)),
    task: declareOrdinal(parsed.task),
  };
  const declared = Object.entries(declarations).map(([prefix, stage]) => prefixed(stage, prefix));
  const sites = new Map(declared.flatMap((stage) => stage.dropoutSites).map((site) => [site.name, site]));
  const stages = createStages({ config: parsed, head, reembedder, widths, sites });
  return {
    config: parsed,
    nLogits: countLogits(parsed.task),
    nBranches: head.countBranches(widths),
    parameters: declared.flatMap((stage) => stage.parameters),
    dropoutSites: [...sites.values()].filter((site) => site.probability > 0 || site.isDraw),
    sideInputs: reembedder.sideInputs,
    ...(reembedder.regions && { regions: reembedder.regions }),
    outputRows: reembedder.outputRows,
    hasUniqueCells: reembedder.hasUniqueCells,
    hasReembedder: reembedder.config.kind !== "none",
    hasHead: parsed.head.kind !== "none",
    ...(reembedder.stem && { stemWidth: reembedder.stem.outputWidth(parsed.dIn) }),
    ...(reembedder.folded && { folded: reembedder.folded }),
    depth: prefixedDepth(reembedder.depth(parsed.dIn), "reembed"),
    tileWidth: widths.dIn,
    stages,
    forward({ features, ...sides }, parameters, dropout) {
      const stem = stages.stem(features, parameters, dropout);
      const { tiles, lossTerms = {} } = stages.body({ ...sides, tiles: stem }, parameters, dropout);
      return { ...stages.head(tiles, parameters, dropout), lossTerms };
    },
  };
}

interface StageParts {
  readonly config: ModelConfig;
  readonly head: Head;
  readonly reembedder: Reembedder;
  readonly widths: HeadWidths;
  readonly sites: ReadonlyMap<string, DropoutSite>;
}

function createStages({ config, head, reembedder, widths, sites }: StageParts): ModelStages {
  const contextOf = (prefix: string, parameters: ParameterTensors, dropout?: DropoutFunction) =>
    createContext(prefix, { parameters, sites, dropout });
  return {
    stem(features, parameters, dropout) {
      const ready = config.standardise ? applyStandardise(features, contextOf("standardise", parameters)) : features;
      return reembedder.stem?.forward(ready, contextOf("reembed", parameters, dropout)) ?? ready;
    },
    body: (input, parameters, dropout) => reembedder.forward(input, contextOf("reembed", parameters, dropout)),
    head(tiles, parameters, dropout) {
      const output = head.forward(tiles, contextOf("head", parameters, dropout), widths);
      if (config.task.kind !== "ordinal") return output;
      const gaps = parameters["task.gaps"] as tf.Tensor1D | undefined;
      return withLogits(output, (score) => ordinalLogits(config.task, score, gaps));
    },
  };
}

function readModel(json: unknown): { config: ModelConfig; head: Head; reembedder: Reembedder } {
  const reader = createConfigReader(json, "model");
  const dIn = reader.number("dIn", { min: 1, max: 2 * MAX_WIDTH, isInteger: true });
  const standardise = reader.boolean("standardise", false);
  const reembedder = parseReembedder(reader.object("reembed", { kind: "none" }));
  const task = parseTask(reader.object("task"), "task");
  const head = parseHead(reader.object("head"), { isMultilabel: task.kind === "multilabel" });
  reader.assertNoOthers();
  assertHeadFitsTask(head.config.kind, task);
  return { config: { dIn, standardise, reembed: reembedder.config, head: head.config, task }, head, reembedder };
}

/** @throws {DomainError} `INVALID_ARGUMENT` when one of head and task is there without the other, or the head needs classes. */
function assertHeadFitsTask(head: string, { kind }: Task): void {
  if (head === "clam" && !["binary", "multiclass", "multilabel"].includes(kind)) {
    const message = `model.head.kind is clam, which sorts tiles by classes; a ${kind} task has none: take gated-abmil, which is the same without`;
    throw new DomainError("INVALID_ARGUMENT", message, { details: { field: "model.head.kind" } });
  }
  if ((head === "none") === (kind === "embedding")) return;
  throw new DomainError(
    "INVALID_ARGUMENT",
    `model.head.kind is ${head}; with the task ${kind} it must ${
      kind === "embedding" ? "be none" : "decide something"
    }`,
  );
}

/** A head's declaration, which speaks of tiles, about the rows that it gets: its dropout has as many words as these. */
function onRows(rows: OutputRows, stage: StageDeclaration): StageDeclaration {
  const onSize = ({ shape, ...site }: DropoutSite): DropoutSite => {
    return { ...site, shape: shape.map((dim) => (dim === TILES ? ROW_SIZES[rows] : dim)) };
  };
  return { ...stage, dropoutSites: stage.dropoutSites.map(onSize) };
}

function prefixed(stage: StageDeclaration, prefix: string): StageDeclaration {
  return {
    parameters: stage.parameters.map((spec) => ({ ...spec, name: `${prefix}.${spec.name}` })),
    dropoutSites: stage.dropoutSites.map((site) => ({ ...site, name: `${prefix}.${site.name}` })),
  };
}

function prefixedDepth({ blocks, output }: DepthRule, prefix: string): DepthRule {
  const full = (name: string) => `${prefix}.${name}`;
  return { blocks: blocks.map(full), output: output.map(full) };
}

const keepAll: DropoutFunction = (_site, x) => x;

interface ContextParts {
  readonly parameters: ParameterTensors;
  readonly sites: ReadonlyMap<string, DropoutSite>;
  /** Absent at inference. */
  readonly dropout: DropoutFunction | undefined;
}

function createContext(prefix: string, { parameters, sites, dropout }: ContextParts): ForwardContext {
  const drop = dropout ?? keepAll;
  return {
    isInference: dropout === undefined,
    parameter<T extends tf.Tensor>(name: string): T {
      const value = parameters[`${prefix}.${name}`];
      if (value === undefined) throw new DomainError("INTERNAL", `no value for parameter ${prefix}.${name}`);
      return value as T;
    },
    dropout<T extends tf.Tensor>(name: string, x: T): T {
      const site = sites.get(`${prefix}.${name}`);
      if (site === undefined) throw new DomainError("INTERNAL", `dropout site ${prefix}.${name} is not declared`);
      return site.probability > 0 ? drop(site, x) : x;
    },
    draw<T extends tf.Tensor>(name: string, fixed: T): T {
      const site = sites.get(`${prefix}.${name}`);
      if (site?.isDraw !== true) throw new DomainError("INTERNAL", `site ${prefix}.${name} of draws is not declared`);
      return drop(site, fixed);
    },
  };
}

/** A model's configuration as plain JSON, for manifests and digests. */
export function modelConfigJson(config: ModelConfig): ConfigObject {
  const { task, ...rest } = config;
  return { ...rest, task: { ...task } };
}
