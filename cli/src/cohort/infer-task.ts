import { commonV1 } from "@parfocal/protocol";
import { UsageError } from "../exit-codes.ts";
import type { LabelRow } from "./parse-labels.ts";

/** Names of tasks on the command line. */
export const TASK_KINDS = {
  binary: commonV1.Task_Kind.KIND_BINARY,
  multiclass: commonV1.Task_Kind.KIND_MULTICLASS,
  multilabel: commonV1.Task_Kind.KIND_MULTILABEL,
} as const;

/** One of {@link TASK_KINDS}. */
export type TaskName = keyof typeof TASK_KINDS;

/** What the user said of the task. */
export interface TaskWish {
  readonly kind?: TaskName;
  readonly classes?: readonly string[];
}

/**
 * The task that labels make: classes in natural order ("2" before "10"), multi-label as soon as a row has no class or several,
 * binary for two classes, whose second is the positive one. What the user said comes first.
 *
 * @throws {UsageError} when the labels do not fit what was said, or make no task.
 */
export function inferTask(rows: readonly Pick<LabelRow, "line" | "labels" | "unknownLabels">[], wish: TaskWish) {
  const found = [...new Set(rows.flatMap(({ labels, unknownLabels }) => [...labels, ...unknownLabels]))].sort((a, b) =>
    a.localeCompare(b, "en", { numeric: true }),
  );
  const classes = wish.classes ?? found;
  const foreign = found.filter((name) => !classes.includes(name));
  if (foreign.length > 0)
    throw new UsageError(`the label "${foreign[0]}" is none of the classes ${classes.join(", ")}`);
  const kind = wish.kind ?? kindOf(rows, classes.length);
  assertFits(kind, classes, rows);
  return commonV1.Task.fromPartial({ kind: TASK_KINDS[kind], classes: [...classes] });
}

function kindOf(rows: readonly Pick<LabelRow, "labels" | "unknownLabels">[], nClasses: number): TaskName {
  const isMultilabel = rows.some(({ labels, unknownLabels }) => labels.length !== 1 || unknownLabels.length > 0);
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
  if (kind === "multiclass" && classes.length < 3) {
    throw new UsageError(`a multiclass task has 3 classes or more; there are ${classes.length}: ${shown}`);
  }
  if (kind === "multilabel") return;
  const bad = rows.find(({ labels }) => labels.length !== 1);
  if (bad !== undefined) {
    throw new UsageError(`line ${bad.line} has ${bad.labels.length} labels; a ${kind} task takes one`);
  }
}
