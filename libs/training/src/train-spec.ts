import { DomainError } from "@parfocal/errors";
import type { ThresholdRule } from "@parfocal/metrics";
import { type ConfigObject, createConfigReader } from "@parfocal/models";
import {
  type EarlyStoppingConfig,
  parseEarlyStopping,
  SELECTION_METRICS,
  type SelectionMetric,
} from "./early-stopping.ts";
import { type OptimiserConfig, optimiserJson, parseOptimiser } from "./optimiser-config.ts";
import {
  type CalibrationConfig,
  type OutlierConfig,
  parseCalibration,
  parseOutliers,
} from "./package/calibration-config.ts";
import { parseSchedule, type ScheduleConfig } from "./schedule.ts";

/** How bags without a part are assigned: shares of the patients. */
export interface SplitConfig {
  readonly validationFraction: number;
  readonly testFraction: number;
}

/** How a group of bags that share a label, the slides of a specimen or of a patient, learns it and is decided. */
export type GroupRule = MinLossRule | PooledRule;

/**
 * Of a positive group the bag with the least loss learns. Binary tasks only.
 *
 * Source: Zimmermann et al. 2026, eq. 9 (`negatives: "min"`).
 */
interface MinLossRule {
  readonly kind: "min-loss";
  /** Negative groups: the bag with the least loss learns, all of them with equal shares, or the one with the greatest. */
  readonly negatives: "min" | "mean" | "max";
}

/** One answer for the group: of all its tiles as one bag, or of the mean or the greatest of its bags' logits, see `poolLogits`. */
interface PooledRule {
  readonly kind: "joined" | "mean" | "max";
}

/** Which bags an epoch takes. */
type Sampling = "shuffle" | "balanced";

/** What to train and how; every field has a value. */
export interface TrainSpec {
  /** `standardise`, `reembed`, `head` and `task` of a model; `dIn` comes from the bags. */
  readonly model: ConfigObject;
  /** Passes over the training part at most. */
  readonly epochs: number;
  /** Bags per update; with a rule for groups, groups. Cox compares those of one update. */
  readonly batchSize: number;
  readonly optimiser: OptimiserConfig;
  /** Factor by which step sizes fall per layer from the head down; 1: all the same. See `layerScales`. */
  readonly layerDecay: number;
  /** First epochs in which the re-embedder stands still and drops nothing. */
  readonly frozenEpochs: number;
  readonly schedule: ScheduleConfig;
  /** Absent: never. */
  readonly earlyStopping?: EarlyStoppingConfig;
  /** Share of the target spread over all classes. */
  readonly labelSmoothing: number;
  readonly classWeights: "none" | "balanced";
  /** Which bags, or groups, an epoch takes: each once, or as many drawn from all classes alike. See `createEpochOrder`. */
  readonly sampling: Sampling;
  /** Take bags of which a magnification is made up (`surrogateLevels`) together with others; absent: such a mix is refused. */
  readonly mixSurrogateLevels?: true;
  /** What a label says when several bags have it together; absent: every bag has it by itself. */
  readonly groups?: GroupRule;
  /** Which weights are published: of the best epoch on the validation part, or of the last. */
  readonly selection: "best" | "last";
  /** What `best` means. */
  readonly selectionMetric: SelectionMetric;
  readonly split: SplitConfig;
  readonly threshold: ThresholdRule;
  /** How sets and intervals are made that are published with the model. */
  readonly calibration: CalibrationConfig;
  /** What its predictions do with bags unlike the training part's. */
  readonly outliers: OutlierConfig;
  /** Drives initialisation, order, dropout and split: same seed, same machine, same weights. */
  readonly seed: bigint;
}

/** Patients that Cox compares in an update unless told. */
const COX_BATCH = 32;

/** Seeds are unsigned 64-bit. */
const SEED_LIMIT = 1n << 64n;

/**
 * Reads a training specification. Only `model` is required; `seed` is a whole number or its decimal digits.
 *
 * Defaults: 40 epochs, batches of 1 (Cox: 32), AdamW at 1e-4 with decay 1e-5, constant step size, the same for all layers, nothing
 * frozen, no early stopping, no smoothing, equal classes, every bag once an epoch and by itself, no made-up magnifications beside others, selection `best` by the task's figure, 15 % of the patients
 * for validation and 15 % for the test, Youden threshold, sets that hold the truth of 90 % of the patients, bags flagged that lie further off than 99 % of the training bags,
 * seed 1.
 *
 * @throws {DomainError} `INVALID_ARGUMENT` naming an unknown field, or field, value and bound.
 */
export function parseTrainSpec(json: unknown): TrainSpec {
  const reader = createConfigReader(json, "training");
  const earlyStopping = reader.optionalObject("earlyStopping");
  const stopping = earlyStopping === undefined ? undefined : parseEarlyStopping(earlyStopping);
  const groups = parseGroups(reader.optionalObject("groups"));
  const isCox = kindOf(reader.object("model")) === "cox";
  const spec: TrainSpec = {
    model: reader.object("model"),
    epochs: reader.number("epochs", { min: 1, max: 10_000, isInteger: true, fallback: 40 }),
    batchSize: reader.number("batchSize", { min: 1, max: 4096, isInteger: true, fallback: isCox ? COX_BATCH : 1 }),
    optimiser: parseOptimiser(reader.object("optimiser", {})),
    layerDecay: reader.number("layerDecay", { min: Number.MIN_VALUE, max: 1, fallback: 1 }),
    frozenEpochs: reader.number("frozenEpochs", { min: 0, max: 10_000, isInteger: true, fallback: 0 }),
    schedule: parseSchedule(reader.object("schedule", {})),
    ...(stopping && { earlyStopping: stopping }),
    labelSmoothing: reader.number("labelSmoothing", { min: 0, max: 0.999, fallback: 0 }),
    classWeights: reader.choice("classWeights", ["none", "balanced"], "none"),
    sampling: reader.choice("sampling", ["shuffle", "balanced"], "shuffle"),
    ...(reader.boolean("mixSurrogateLevels", false) && { mixSurrogateLevels: true }),
    ...(groups && { groups }),
    selection: reader.choice("selection", ["best", "last"], "best"),
    selectionMetric: reader.choice("selectionMetric", SELECTION_METRICS, stopping?.metric ?? "task"),
    split: parseSplit(reader.object("split", {})),
    threshold: parseThreshold(reader.object("threshold", { kind: "youden" })),
    calibration: parseCalibration(reader.object("calibration", {})),
    outliers: parseOutliers(reader.object("outliers", {})),
    seed: parseSeed(reader.scalar("seed", 1)),
  };
  reader.assertNoOthers();
  if (stopping === undefined || stopping.metric === spec.selectionMetric) return spec;
  const message = `selectionMetric is ${spec.selectionMetric}, earlyStopping.metric ${stopping.metric}; they must agree`;
  throw new DomainError("INVALID_ARGUMENT", message);
}

/** The rule for groups of a manifest's specification; absent in models that were not trained by one. */
export function groupRuleOf({ groups }: ConfigObject): GroupRule | undefined {
  const isObject = typeof groups === "object" && groups !== null && !Array.isArray(groups);
  return isObject ? parseGroups(groups as ConfigObject) : undefined;
}

function parseGroups(json: ConfigObject | undefined): GroupRule | undefined {
  if (json === undefined) return undefined;
  const reader = createConfigReader(json, "groups");
  const kind = reader.choice("kind", ["none", "min-loss", "joined", "mean", "max"]);
  const rule: GroupRule | undefined =
    kind === "none"
      ? undefined
      : kind === "min-loss"
        ? { kind, negatives: reader.choice("negatives", ["min", "mean", "max"], "min") }
        : { kind };
  reader.assertNoOthers();
  return rule;
}

/** The task's kind as the model's JSON has it. */
function kindOf({ task }: ConfigObject): unknown {
  return typeof task === "object" && task !== null && "kind" in task ? task.kind : undefined;
}

function parseSplit(json: ConfigObject): SplitConfig {
  const reader = createConfigReader(json, "split");
  const share = (name: string) => reader.number(name, { min: 0, max: 0.9, fallback: 0.15 });
  const split = { validationFraction: share("validationFraction"), testFraction: share("testFraction") };
  reader.assertNoOthers();
  const held = split.validationFraction + split.testFraction;
  if (held < 1) return split;
  throw new DomainError(
    "INVALID_ARGUMENT",
    `validation and test share are ${held} together; they must leave some to train`,
  );
}

function parseThreshold(json: ConfigObject): ThresholdRule {
  const reader = createConfigReader(json, "threshold");
  const kind = reader.choice("kind", ["youden", "max-f1", "sensitivity", "fixed"]);
  const unit = (name: string) => reader.number(name, { min: 0, max: 1 });
  let rule: ThresholdRule;
  if (kind === "sensitivity") rule = { kind, target: reader.number("target", { min: 1e-6, max: 1 }) };
  else if (kind === "fixed") rule = { kind, value: unit("value") };
  else rule = { kind };
  reader.assertNoOthers();
  return rule;
}

/**
 * A seed: a whole number, or its decimal digits.
 *
 * @throws {DomainError} `INVALID_ARGUMENT` naming `field` when it is outside [0, 2^64).
 */
export function parseSeed(value: string | number, field = "training.seed"): bigint {
  const isWhole = typeof value === "string" ? /^\d{1,20}$/u.test(value) : Number.isSafeInteger(value) && value >= 0;
  const seed = isWhole ? BigInt(value) : -1n;
  if (seed >= 0n && seed < SEED_LIMIT) return seed;
  throw new DomainError("INVALID_ARGUMENT", `${field} is ${value}; it must be a whole number in [0, 2^64)`);
}

/** A specification as JSON that {@link parseTrainSpec} reads back, for manifests, checkpoints and digests. */
export function trainSpecJson(spec: TrainSpec): ConfigObject {
  const { seed, optimiser, schedule, earlyStopping, groups, split, threshold, calibration, outliers, ...rest } = spec;
  return {
    ...rest,
    optimiser: optimiserJson(optimiser),
    schedule: { ...schedule },
    ...(earlyStopping && { earlyStopping: { ...earlyStopping } }),
    ...(groups && { groups: { ...groups } }),
    split: { ...split },
    threshold: { ...threshold },
    calibration: { ...calibration },
    outliers: { ...outliers },
    seed: seed.toString(),
  };
}

/** What of a specification decides a training's result, for digests of jobs: those without a field that is younger stay what they were. */
export function decisiveSpecJson(spec: TrainSpec): ConfigObject {
  const { sampling, ...rest } = trainSpecJson(spec);
  return sampling === "shuffle" ? rest : { ...rest, sampling: spec.sampling };
}
