import { DomainError } from "@parfocal/errors";
import { type ConfigObject, type ConfigReader, createConfigReader } from "./config-reader.ts";

/** Kinds of tasks. `embedding`: the model decides nothing, it gives re-embedded tiles. */
export const TASK_KINDS = [
  "binary",
  "multiclass",
  "multilabel",
  "ordinal",
  "regression",
  "survival",
  "cox",
  "embedding",
] as const;

/** What logits are: competing, independent, or numbers as they are. */
export type Link = "softmax" | "sigmoid" | "identity";

/** What a model decides. K classes, T numbers, B intervals of time. */
export type Task = ClassTask | RegressionTask | SurvivalTask | CoxTask;

interface Named {
  /**
   * Names of the classes, in the order of the probabilities: of a binary task `[negative, positive]`, of an ordinal one lowest first; names
   * of the numbers of a regression; of `survival`, `cox` and `embedding` none.
   */
  readonly classes: readonly string[];
  /**
   * `softmax`: K logits that compete. `sigmoid`: independent logits: K of them in a multi-label task, a single one (of the positive class)
   * in a binary task, K - 1 of "above class k" in an ordinal one, B hazards in `survival`. `identity`: T standardised numbers, or one log
   * risk in `cox`.
   */
  readonly link: Link;
}

/** Classes, or nothing. */
interface ClassTask extends Named {
  readonly kind: "binary" | "multiclass" | "multilabel" | "ordinal" | "embedding";
}

/** Numbers. Logits are standardised: number t is `center[t] + scale[t] · logit`. */
export interface RegressionTask extends Named {
  readonly kind: "regression";
  readonly loss: "huber" | "mse";
  /** Where Huber's squares end, in standard deviations. */
  readonly delta: number;
  /** `[T]`, fitted on the training part; empty: not yet. */
  readonly center: readonly number[];
  /** `[T]`, above 0; as `center`. */
  readonly scale: readonly number[];
}

/** Time to an event in intervals: the hazard of each is the sigmoid of its logit. */
export interface SurvivalTask extends Named {
  readonly kind: "survival";
  /** B, as long as there are no edges. */
  readonly bins: number;
  /** `[B + 1]`, ascending from 0: interval b is `[edges[b], edges[b + 1])`, the last one open above. Empty: not yet fitted. */
  readonly edges: readonly number[];
  /**
   * `nll`: the negative log likelihood of the hazards. `ce`: cross entropy of who lives past the interval, with the share `alpha` of the
   * likelihood of events.
   */
  readonly loss: "nll" | "ce";
  /** How much less censored patients count, 0 to 1. */
  readonly alpha: number;
}

/** Time to an event as a risk that ranks patients. */
export interface CoxTask extends Named {
  readonly kind: "cox";
  /** What the partial likelihood does with events of one time. */
  readonly ties: "efron" | "breslow";
}

/** Fewest and most classes. */
const CLASS_COUNTS: Readonly<Record<Task["kind"], readonly [number, number]>> = {
  binary: [2, 2],
  multiclass: [2, 1000],
  multilabel: [1, 1000],
  ordinal: [2, 1000],
  regression: [1, 1000],
  survival: [0, 0],
  cox: [0, 0],
  embedding: [0, 0],
};

const USUAL_LINK: Readonly<Record<Task["kind"], Link>> = {
  binary: "softmax",
  multiclass: "softmax",
  multilabel: "sigmoid",
  ordinal: "sigmoid",
  regression: "identity",
  survival: "sigmoid",
  cox: "identity",
  embedding: "softmax",
};

/** Most intervals of time. */
const MAX_BINS = 64;

/**
 * Reads a task: `kind`, `classes` (not in `survival` and `cox`), in binary tasks `link` (default `softmax`), and what the kind has
 * of its own: regression `loss` (`huber`), `delta` (1), `center` and `scale`; survival `bins` (4), `edges`, `loss` (`nll`) and `alpha` (0); cox `ties` (`efron`).
 *
 * @throws {DomainError} `INVALID_ARGUMENT` naming the field: 2 classes in binary, 2 to 1000 in multi-class and ordinal, 1 to 1000 in
 * multi-label tasks and regressions, none elsewhere; links other than the kind's, but for binary; edges that do not ascend from 0.
 */
export function parseTask(json: unknown, where = "task"): Task {
  const reader = createConfigReader(json, where);
  const kind = reader.choice("kind", TASK_KINDS);
  const [minItems, maxItems] = CLASS_COUNTS[kind];
  const isUnnamed = maxItems === 0 && (json as ConfigObject).classes === undefined;
  const classes = isUnnamed ? [] : reader.names("classes", { minItems, maxItems });
  const link = reader.choice("link", ["softmax", "sigmoid", "identity"], USUAL_LINK[kind]);
  const task = ofKind(kind, { classes, link }, { reader, json: json as ConfigObject, where });
  reader.assertNoOthers();
  if (link !== USUAL_LINK[kind] && !(kind === "binary" && link === "sigmoid")) {
    throw new DomainError("INVALID_ARGUMENT", `${where}.link is ${link}; a ${kind} task has ${USUAL_LINK[kind]}`);
  }
  return task;
}

interface Source {
  readonly reader: ConfigReader;
  readonly json: ConfigObject;
  readonly where: string;
}

function ofKind(kind: Task["kind"], named: Named, source: Source): Task {
  switch (kind) {
    case "regression":
      return readRegression(named, source);
    case "survival":
      return readSurvival(named, source);
    case "cox":
      return { ...named, kind, ties: source.reader.choice("ties", ["efron", "breslow"], "efron") };
    default:
      return { ...named, kind };
  }
}

function readRegression(named: Named, source: Source): RegressionTask {
  const { reader, where } = source;
  const largest = Number.MAX_VALUE;
  const task: RegressionTask = {
    ...named,
    kind: "regression",
    loss: reader.choice("loss", ["huber", "mse"], "huber"),
    delta: reader.number("delta", { min: 1e-6, max: 1000, fallback: 1 }),
    center: numbersOf(source, "center", -largest, largest),
    scale: numbersOf(source, "scale", Number.MIN_VALUE, largest),
  };
  for (const name of ["center", "scale"] as const) {
    const { length } = task[name];
    if (length === 0 || length === named.classes.length) continue;
    throw new DomainError("INVALID_ARGUMENT", `${where}.${name} has ${length} numbers; it has ${named.classes.length}`);
  }
  return task;
}

function readSurvival(named: Named, source: Source): SurvivalTask {
  const { reader, where } = source;
  const task: SurvivalTask = {
    ...named,
    kind: "survival",
    bins: reader.number("bins", { min: 2, max: MAX_BINS, isInteger: true, fallback: 4 }),
    edges: numbersOf(source, "edges", 0, Number.MAX_VALUE),
    loss: reader.choice("loss", ["nll", "ce"], "nll"),
    alpha: reader.number("alpha", { min: 0, max: 1, fallback: 0 }),
  };
  const { edges } = task;
  const isAscending = edges.every((edge, i) => (i === 0 ? edge === 0 : edge > (edges[i - 1] ?? edge)));
  if (isAscending && edges.length !== 1 && edges.length <= MAX_BINS + 1) return task;
  const message = `${where}.edges is ${JSON.stringify(edges)}; it must ascend from 0, with 2 to ${MAX_BINS + 1} numbers`;
  throw new DomainError("INVALID_ARGUMENT", message, { details: { field: `${where}.edges` } });
}

function numbersOf({ reader, json }: Source, name: string, min: number, max: number): number[] {
  return json[name] === undefined ? [] : reader.numbers(name, { min, max, maxItems: 1000 });
}

/** Number of logits of the task: what a target has a column for. */
export function countLogits(task: Task): number {
  switch (task.kind) {
    case "binary":
      return task.link === "sigmoid" ? 1 : 2;
    case "ordinal":
      return task.classes.length - 1;
    case "survival":
      return task.edges.length === 0 ? task.bins : task.edges.length - 1;
    case "cox":
      return 1;
    default:
      return task.classes.length;
  }
}

/** What a head has to give: a logit each, but of an ordinal task one score, see `ordinalLogits`. */
export function headOutputs(task: Task): { readonly nLogits: number; readonly link: Link } {
  if (task.kind === "ordinal") return { nLogits: 1, link: "identity" };
  return { nLogits: countLogits(task), link: task.link };
}

/** What the maps of a head with a map for each of its outputs belong to: classes, numbers, or intervals of time as `0 to 5.5`. */
export function branchNames(task: Task): string[] {
  if (task.kind !== "survival") return [...task.classes];
  const ends = task.edges.length === 0 ? Array.from({ length: task.bins + 1 }, (_, b) => b) : task.edges;
  return ends.slice(1).map((end, b) => `${ends[b]} to ${end}`);
}

/** Kinds of tasks that decide classes. */
type ClassedKind = "binary" | "multiclass" | "multilabel" | "ordinal";

/** Whether the task has classes that are probable. */
export function hasClasses<T extends { readonly kind: Task["kind"] }>(
  task: T,
): task is T & { readonly kind: ClassedKind } {
  const { kind } = task;
  return kind === "binary" || kind === "multiclass" || kind === "multilabel" || kind === "ordinal";
}

/** How many thresholds decide: one for binary, one per class for multi-label tasks, none elsewhere. */
export function countThresholds({ kind, classes }: Pick<Task, "kind" | "classes">): number {
  if (kind === "binary") return 1;
  return kind === "multilabel" ? classes.length : 0;
}
