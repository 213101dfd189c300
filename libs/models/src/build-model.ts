import { DomainError } from "@parfocal/errors";
import type { tf } from "@parfocal/tensor";
import { type ConfigObject, createConfigReader } from "./config-reader.ts";
import { applyStandardise, standardiseParameters } from "./layers/standardise.ts";
import { MAX_WIDTH } from "./layers/trunk.ts";
import type {
  DropoutSite,
  ForwardContext,
  HeadConfig,
  ReembedderConfig,
  SideInput,
  StageDeclaration,
} from "./model.ts";
import type { ParameterSpec } from "./parameter.ts";
import { type Head, parseHead, parseReembedder, type Reembedder } from "./registry.ts";
import { countLogits, parseTask, type Task } from "./task.ts";

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

/** Tensors of one bag. */
export interface ModelInput {
  /** `[N, D]` f32. */
  readonly features: tf.Tensor2D;
  /** `[N, 2]` i32, present when `sideInputs` names it. */
  readonly coords?: tf.Tensor2D;
}

/** What a model makes of one bag. */
export interface ModelOutput {
  /** `[K]`. */
  readonly logits: tf.Tensor1D;
  /** `[N, A]`, columns summing to 1; absent in heads without attention. */
  readonly attention?: tf.Tensor2D;
  /** Auxiliary objectives of the re-embedder, added to the training loss. */
  readonly lossTerms: Readonly<Record<string, tf.Scalar>>;
}

/** Tensors of a model's parameters by name. */
export type ParameterTensors = Readonly<Record<string, tf.Tensor>>;

/** Drops activations of a site; identity at inference. */
export type DropoutFunction = <T extends tf.Tensor>(site: DropoutSite, x: T) => T;

/** A model: an architecture without values. */
export interface Model {
  readonly config: ModelConfig;
  readonly nLogits: number;
  /** Attention branches A; 0 without attention. */
  readonly nBranches: number;
  readonly parameters: readonly ParameterSpec[];
  /** Sites with a probability above 0. */
  readonly dropoutSites: readonly DropoutSite[];
  readonly sideInputs: readonly SideInput[];
  /** A pure function; `dropout` absent means inference. */
  forward(input: ModelInput, parameters: ParameterTensors, dropout?: DropoutFunction): ModelOutput;
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
  const widths = { dIn: reembedder.outputWidth(parsed.dIn), nLogits: countLogits(parsed.task), link: parsed.task.link };
  const standardise: StageDeclaration = {
    parameters: parsed.standardise ? standardiseParameters(parsed.dIn) : [],
    dropoutSites: [],
  };
  const stages = { standardise, reembed: reembedder.declare(parsed.dIn), head: head.declare(widths) };
  const declared = Object.entries(stages).map(([prefix, stage]) => prefixed(stage, prefix));
  const sites = new Map(declared.flatMap((stage) => stage.dropoutSites).map((site) => [site.name, site]));
  return {
    config: parsed,
    nLogits: widths.nLogits,
    nBranches: head.countBranches(widths),
    parameters: declared.flatMap((stage) => stage.parameters),
    dropoutSites: [...sites.values()].filter((site) => site.probability > 0),
    sideInputs: reembedder.sideInputs,
    forward(input, parameters, dropout = keepAll) {
      const context = (prefix: string) => createContext(prefix, { parameters, sites, dropout });
      const ready = parsed.standardise ? applyStandardise(input.features, context("standardise")) : input.features;
      const { tiles, lossTerms = {} } = reembedder.forward({ ...input, tiles: ready }, context("reembed"));
      return { ...head.forward(tiles, context("head"), widths), lossTerms };
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
  return { config: { dIn, standardise, reembed: reembedder.config, head: head.config, task }, head, reembedder };
}

function prefixed(stage: StageDeclaration, prefix: string): StageDeclaration {
  return {
    parameters: stage.parameters.map((spec) => ({ ...spec, name: `${prefix}.${spec.name}` })),
    dropoutSites: stage.dropoutSites.map((site) => ({ ...site, name: `${prefix}.${site.name}` })),
  };
}

const keepAll: DropoutFunction = (_site, x) => x;

interface ContextParts {
  readonly parameters: ParameterTensors;
  readonly sites: ReadonlyMap<string, DropoutSite>;
  readonly dropout: DropoutFunction;
}

function createContext(prefix: string, { parameters, sites, dropout }: ContextParts): ForwardContext {
  return {
    parameter<T extends tf.Tensor>(name: string): T {
      const value = parameters[`${prefix}.${name}`];
      if (value === undefined) throw new DomainError("INTERNAL", `no value for parameter ${prefix}.${name}`);
      return value as T;
    },
    dropout<T extends tf.Tensor>(name: string, x: T): T {
      const site = sites.get(`${prefix}.${name}`);
      if (site === undefined) throw new DomainError("INTERNAL", `dropout site ${prefix}.${name} is not declared`);
      return site.probability > 0 ? dropout(site, x) : x;
    },
  };
}

/** A model's configuration as plain JSON, for manifests and digests. */
export function modelConfigJson(config: ModelConfig): ConfigObject {
  const { task, ...rest } = config;
  return { ...rest, task: { ...task } };
}
