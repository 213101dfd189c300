import { readFile } from "node:fs/promises";
import { commonV1 } from "@parfocal/protocol";
import { DEFAULT_SEED } from "../default-seed.ts";
import { UsageError } from "../exit-codes.ts";
import { type ArchitectureOptions, architectureFromOptions } from "./architecture-options.ts";
import { applySettings } from "./spec-settings.ts";

/** Options of `train` that make a training specification. Absent: the service's default. */
export interface SpecOptions extends ArchitectureOptions {
  readonly epochs?: number;
  readonly optimiser?: "adam" | "adamw" | "radam" | "sgd";
  readonly lr?: number;
  readonly weightDecay?: number;
  readonly schedule?: "constant" | "cosine" | "plateau";
  readonly batchSize?: number;
  readonly labelSmoothing?: number;
  readonly classWeights?: "none" | "balanced";
  readonly earlyStopping?: number;
  readonly selection?: "best" | "last";
  readonly validation?: number;
  readonly test?: number;
  readonly threshold?: string;
  readonly seed?: bigint;
  readonly frozenEpochs?: number;
  readonly layerDecay?: number;
  readonly groups?: "none" | "joined" | "mean" | "max" | "min-loss";
  readonly groupNegatives?: "min" | "mean" | "max";
  /** Single values as `path=value`; they win over everything else. */
  readonly set?: readonly string[];
}

const OPTIMISERS = {
  adam: commonV1.Optimiser_Kind.KIND_ADAM,
  adamw: commonV1.Optimiser_Kind.KIND_ADAMW,
  radam: commonV1.Optimiser_Kind.KIND_RADAM,
  sgd: commonV1.Optimiser_Kind.KIND_SGD,
};
const SCHEDULES = {
  constant: commonV1.Schedule_Kind.KIND_CONSTANT,
  cosine: commonV1.Schedule_Kind.KIND_COSINE,
  plateau: commonV1.Schedule_Kind.KIND_PLATEAU,
};
const CLASS_WEIGHTS = {
  none: commonV1.Recipe_ClassWeights.CLASS_WEIGHTS_NONE,
  balanced: commonV1.Recipe_ClassWeights.CLASS_WEIGHTS_BALANCED,
};
const SELECTIONS = {
  best: commonV1.Recipe_Selection.SELECTION_BEST,
  last: commonV1.Recipe_Selection.SELECTION_LAST,
};

/**
 * The specification of a training: what `base` says, then what the options say, single values last, without a task.
 *
 * @throws {UsageError} for an option that means nothing.
 */
export function createTrainingSpec(
  options: SpecOptions,
  base: commonV1.TrainingSpec = commonV1.TrainingSpec.fromPartial({}),
): commonV1.TrainingSpec {
  const spec: commonV1.TrainingSpec = {
    ...base,
    architecture: architectureFromOptions(options, base.architecture),
    recipe: recipeOf(options, base.recipe ?? commonV1.Recipe.fromPartial({ seed: DEFAULT_SEED })),
    split: {
      validationFraction: options.validation ?? base.split?.validationFraction,
      testFraction: options.test ?? base.split?.testFraction,
    },
    threshold: options.threshold === undefined ? base.threshold : thresholdOf(options.threshold),
    groups: groupsOf(options, base.groups),
  };
  return options.set === undefined ? spec : applySettings(spec, options.set);
}

function recipeOf(options: SpecOptions, base: commonV1.Recipe): commonV1.Recipe {
  const { earlyStopping } = options;
  return {
    ...base,
    epochs: options.epochs ?? base.epochs,
    batchSize: options.batchSize ?? base.batchSize,
    optimiser: optimiserOf(options, base.optimiser),
    schedule:
      options.schedule === undefined
        ? base.schedule
        : commonV1.Schedule.fromPartial({ kind: SCHEDULES[options.schedule] }),
    earlyStopping:
      earlyStopping === undefined
        ? base.earlyStopping
        : { patience: earlyStopping, minEpochs: 0, metric: commonV1.EarlyStopping_Metric.METRIC_TASK },
    labelSmoothing: options.labelSmoothing ?? base.labelSmoothing,
    classWeights: options.classWeights === undefined ? base.classWeights : CLASS_WEIGHTS[options.classWeights],
    selection: options.selection === undefined ? base.selection : SELECTIONS[options.selection],
    seed: options.seed ?? base.seed,
    frozenEpochs: options.frozenEpochs ?? base.frozenEpochs,
    layerDecay: options.layerDecay ?? base.layerDecay,
  };
}

const GROUPS = {
  none: commonV1.GroupRule_Kind.KIND_NONE,
  "min-loss": commonV1.GroupRule_Kind.KIND_MIN_LOSS,
  joined: commonV1.GroupRule_Kind.KIND_JOINED,
  mean: commonV1.GroupRule_Kind.KIND_MEAN,
  max: commonV1.GroupRule_Kind.KIND_MAX,
};
const NEGATIVES = {
  min: commonV1.GroupRule_Negatives.NEGATIVES_MIN,
  mean: commonV1.GroupRule_Negatives.NEGATIVES_MEAN,
  max: commonV1.GroupRule_Negatives.NEGATIVES_MAX,
};

function groupsOf(
  { groups, groupNegatives }: SpecOptions,
  base: commonV1.GroupRule | undefined,
): commonV1.GroupRule | undefined {
  const kind = groups === undefined ? base?.kind : GROUPS[groups];
  if (groupNegatives !== undefined && kind !== GROUPS["min-loss"])
    throw new UsageError("--group-negatives is for --groups min-loss");
  if (kind === undefined) return undefined;
  const before = base?.negatives ?? commonV1.GroupRule_Negatives.NEGATIVES_UNSPECIFIED;
  return { kind, negatives: groupNegatives === undefined ? before : NEGATIVES[groupNegatives] };
}

function optimiserOf(
  { optimiser, lr, weightDecay }: SpecOptions,
  base: commonV1.Optimiser | undefined,
): commonV1.Optimiser {
  const before = base ?? commonV1.Optimiser.fromPartial({});
  return {
    ...before,
    kind: optimiser === undefined ? before.kind : OPTIMISERS[optimiser],
    learningRate: lr ?? before.learningRate,
    weightDecay: weightDecay ?? before.weightDecay,
  };
}

function thresholdOf(text: string): commonV1.ThresholdRule {
  const { KIND_YOUDEN, KIND_F1, KIND_SENSITIVITY, KIND_FIXED } = commonV1.ThresholdRule_Kind;
  if (text === "youden") return { kind: KIND_YOUDEN, value: 0 };
  if (text === "f1") return { kind: KIND_F1, value: 0 };
  const [, name, digits = ""] = /^(?:(sensitivity)=)?(\d*\.?\d+)$/.exec(text) ?? [];
  const value = Number(digits);
  if (digits !== "" && value >= 0 && value <= 1) return { kind: name ? KIND_SENSITIVITY : KIND_FIXED, value };
  throw new UsageError(`--threshold "${text}" is none of youden, f1, sensitivity=0.95 and a number from 0 to 1`);
}

/**
 * Reads a specification in the JSON of the contract. Unknown fields are refused: they would change nothing silently.
 *
 * @throws {UsageError} naming the file and what is wrong.
 */
export async function readTrainingSpec(path: string): Promise<commonV1.TrainingSpec> {
  try {
    const json: unknown = JSON.parse(await readFile(path, "utf8"));
    const spec = commonV1.TrainingSpec.fromJSON(json);
    const unknown = firstUnknown(json, commonV1.TrainingSpec.toJSON(spec), "");
    if (unknown !== undefined) throw new Error(`it has no field ${unknown}`);
    // Numbers that the contract cannot carry show only now.
    commonV1.TrainingSpec.encode(spec).finish();
    return spec;
  } catch (error) {
    throw new UsageError(`--spec ${path}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** Path of the first field with a value that the reader left behind; defaults are left out of JSON and do not count. */
function firstUnknown(given: unknown, read: unknown, path: string): string | undefined {
  if (typeof given !== "object" || given === null) return undefined;
  for (const [key, value] of Object.entries(given)) {
    const at = Array.isArray(given) ? `${path}[${key}]` : `${path}${path === "" ? "" : "."}${key}`;
    const camel = key.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
    const there = (read as Record<string, unknown> | undefined)?.[camel];
    if (there === undefined && isPresent(value)) return at;
    const inner = firstUnknown(value, there, at);
    if (inner !== undefined) return inner;
  }
  return undefined;
}

/** Whether a value would appear in the contract's JSON. */
function isPresent(value: unknown): boolean {
  if (value === null || value === false || value === 0 || value === "" || value === "0") return false;
  return !Array.isArray(value) || value.length > 0;
}
