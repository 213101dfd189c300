import { commonV1 } from "@parfocal/protocol";
import { UsageError } from "../exit-codes.ts";
import type { LabelRow } from "./parse-labels.ts";

/** Names of tasks on the command line. */
export const TASK_KINDS = {
  binary: commonV1.Task_Kind.KIND_BINARY,
  multiclass: commonV1.Task_Kind.KIND_MULTICLASS,
  multilabel: commonV1.Task_Kind.KIND_MULTILABEL,
  ordinal: commonV1.Task_Kind.KIND_ORDINAL,
  regression: commonV1.Task_Kind.KIND_REGRESSION,
  survival: commonV1.Task_Kind.KIND_SURVIVAL,
  cox: commonV1.Task_Kind.KIND_COX,
} as const;

/** One of {@link TASK_KINDS}. */
export type TaskName = keyof typeof TASK_KINDS;

/** Every {@link TaskName}. */
export const TASK_NAMES = Object.keys(TASK_KINDS) as readonly TaskName[];

/** The command line's name of a task's kind; undefined for one that decides nothing. */
export function taskNameOf(kind: commonV1.Task_Kind | undefined): TaskName | undefined {
  return TASK_NAMES.find((name) => TASK_KINDS[name] === kind);
}

/** What a task is inferred from. */
export type TaskRow = Pick<LabelRow, "line" | "labels" | "unknownLabels" | "values" | "survival" | "columns">;

/** What the user said of the task. */
export interface TaskWish {
  readonly kind?: TaskName;
  readonly classes?: readonly string[];
}

/**
 * The task that labels make: classes in natural order ("2" before "10"), multi-label as soon as a row has several or one that is not
 * known, those of the columns in their order where each label has one, binary for two classes, whose second is the positive one; a regression for numbers, discrete survival for times of events. What
 * the user said comes first: multi-label rows of one class or none, ordinal classes and Cox have to be said, and the order of ordinal classes
 * too unless they count (`G1`, `G2`).
 *
 * @throws {UsageError} when the labels do not fit what was said, or make no task.
 */
export function inferTask(rows: readonly TaskRow[], wish: TaskWish): commonV1.Task {
  if (rows.some(({ survival }) => survival !== undefined)) return eventTask(wish);
  if (rows.some(({ values }) => values !== undefined)) return numberTask(rows, wish);
  const found = classesOf(rows);
  const classes = wish.classes ?? found;
  const foreign = found.filter((name) => !classes.includes(name));
  if (foreign.length > 0)
    throw new UsageError(`the label "${foreign[0]}" is none of the classes ${classes.join(", ")}`);
  const kind = wish.kind ?? kindOf(rows, classes.length);
  assertFits(kind, classes, rows);
  if (kind === "ordinal" && wish.classes === undefined) assertOrdered(classes);
  return commonV1.Task.fromPartial({ kind: TASK_KINDS[kind], classes: [...classes] });
}

/** @throws {UsageError} for classes that do not differ in a number alone: of `high`, `low` and `mid` nothing says which comes first. */
function assertOrdered(classes: readonly string[]): void {
  const stems = new Set(classes.map((name) => name.replace(/\d+(\.\d+)?/u, "#")));
  if (stems.size === 1 && [...stems].every((stem) => stem.includes("#"))) return;
  throw new UsageError(
    `an ordinal task needs the order of ${classes.join(", ")}: --classes (task.classes) gives it, lowest first`,
  );
}

/** A label that has a column of its own is one though it holds nowhere. */
function classesOf(rows: readonly TaskRow[]): readonly string[] {
  const [first] = rows;
  if (first?.columns !== undefined) return first.columns;
  const found = new Set(rows.flatMap(({ labels, unknownLabels }) => [...labels, ...unknownLabels]));
  return [...found].sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
}

function eventTask({ kind = "survival", classes }: TaskWish): commonV1.Task {
  if (kind !== "survival" && kind !== "cox")
    throw new UsageError(`the labels are times of events; a ${kind} task takes others`);
  if (classes !== undefined) throw new UsageError(`a ${kind} task has no classes; there are ${classes.length}`);
  return commonV1.Task.fromPartial({ kind: TASK_KINDS[kind] });
}

function numberTask(rows: readonly TaskRow[], { kind = "regression", classes }: TaskWish): commonV1.Task {
  if (kind !== "regression") throw new UsageError(`the labels are numbers; a ${kind} task takes others`);
  const names = [...new Set(rows.flatMap(({ values }) => Object.keys(values ?? {})))];
  const foreign = classes && names.find((name) => !classes.includes(name));
  if (foreign !== undefined) throw new UsageError(`the number "${foreign}" is none of ${classes?.join(", ")}`);
  return commonV1.Task.fromPartial({ kind: TASK_KINDS.regression, classes: classes ? [...classes] : names });
}

function kindOf(rows: readonly Pick<LabelRow, "labels" | "unknownLabels">[], nClasses: number): TaskName {
  const isMultilabel = rows.some(({ labels, unknownLabels }) => labels.length > 1 || unknownLabels.length > 0);
  if (isMultilabel) return "multilabel";
  return nClasses > 2 ? "multiclass" : "binary";
}

function assertFits(
  kind: TaskName,
  classes: readonly string[],
  rows: readonly Pick<LabelRow, "line" | "labels">[],
): void {
  const shown = classes.join(", ") || "none";
  if (kind === "binary" && classes.length !== 2) {
    throw new UsageError(`a binary task has 2 classes; there are ${classes.length}: ${shown}`);
  }
  if (kind === "multiclass" && classes.length < 2) {
    throw new UsageError(`a multiclass task has 2 classes or more; there are ${classes.length}: ${shown}`);
  }
  if (kind === "regression" || kind === "survival" || kind === "cox") {
    throw new UsageError(
      `the labels are classes (${shown}); a ${kind} task takes ${kind === "regression" ? "numbers" : "times of events"}`,
    );
  }
  if (kind === "ordinal" && classes.length < 2) {
    throw new UsageError(`an ordinal task has 2 classes or more; there are ${classes.length}: ${shown}`);
  }
  if (kind === "multilabel") return;
  const bad = rows.find(({ labels }) => labels.length !== 1);
  if (bad !== undefined) {
    const hint = bad.labels.length === 0 ? "; a row of a multilabel task may have none" : "";
    throw new UsageError(`line ${bad.line} has ${bad.labels.length} labels; a ${kind} task takes one${hint}`);
  }
}
