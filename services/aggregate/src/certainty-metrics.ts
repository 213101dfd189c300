import { wilsonInterval } from "@parfocal/metrics";
import { hasClasses, type Task } from "@parfocal/models";
import type { commonV1 } from "@parfocal/protocol";
import type { Label } from "@parfocal/training";

/** A case with what was said of it, and what is true. */
export interface CertainCase {
  readonly patient: string;
  readonly label: Label;
  /** Absent: nothing is said, and nothing counts. */
  readonly prediction: commonV1.Prediction | undefined;
}

/**
 * Whether what models say of their own certainty comes true: `set_coverage`, the share of cases whose truth the prediction set holds, over all
 * and by class (multi-label: by class, the presence or absence that is true); `set_size`, classes in the mean set; of regressions
 * `interval_coverage` and `interval_width` by number; `unlike_share`, the share of cases unlike the training part. Nothing of what was not said.
 * Shares have Wilson's interval where every case is a patient of its own; slides of a patient are no independent witnesses.
 */
export function certaintyMetrics(task: Task, cases: readonly CertainCase[]): commonV1.Metric[] {
  return [...setMetrics(task, cases), ...intervalMetrics(task, cases), ...unlikeShare(cases)];
}

/** Whether something is so of a case. */
interface Witness {
  readonly patient: string;
  readonly holds: boolean;
}

function setMetrics(task: Task, cases: readonly CertainCase[]): commonV1.Metric[] {
  if (!hasClasses(task)) return [];
  const said = cases.flatMap(({ prediction, ...known }) => {
    return prediction?.predictionSet === undefined ? [] : [{ ...known, set: prediction.predictionSet }];
  });
  const byClass = task.classes.map((name, k) => {
    const own = said.flatMap(({ patient, label, set }): Witness[] => {
      if (typeof label === "number") return label === k ? [{ patient, holds: set.labels.includes(name) }] : [];
      const truth = truthAt(label, k);
      if (truth === null) return [];
      return [{ patient, holds: (truth === 1 ? set.labels : set.absentLabels).includes(name) }];
    });
    return { name, own };
  });
  const classes = byClass.flatMap(({ name, own }) => share("set_coverage", own, name));
  if (task.kind === "multilabel") return classes;
  const sizes = said.map(({ set }) => set.labels.length);
  const all = byClass.flatMap(({ own }) => own);
  return [...share("set_coverage", all), ...mean("set_size", sizes), ...classes];
}

function intervalMetrics(task: Task, cases: readonly CertainCase[]): commonV1.Metric[] {
  if (task.kind !== "regression") return [];
  return task.classes.flatMap((name, k) => {
    const said = cases.flatMap(({ patient, label, prediction }) => {
      const { lower, upper } = prediction?.values.find((each) => each.label === name) ?? {};
      const truth = truthAt(label, k);
      if (truth === null || lower === undefined || upper === undefined) return [];
      return [{ patient, holds: truth >= lower && truth <= upper, width: upper - lower }];
    });
    const widths = said.map(({ width }) => width);
    return [...share("interval_coverage", said, name), ...mean("interval_width", widths, name)];
  });
}

function unlikeShare(cases: readonly CertainCase[]): commonV1.Metric[] {
  const compared = cases.flatMap(({ patient, prediction }): Witness[] => {
    return prediction?.typicality === undefined ? [] : [{ patient, holds: prediction.typicality.isUnlike }];
  });
  return share("unlike_share", compared);
}

/** What is known of a class of a multi-label task, or of a number. */
function truthAt(label: Label, k: number): number | null {
  return typeof label === "number" || "time" in label ? null : (label[k] ?? null);
}

/** None of no witnesses. */
function share(name: string, witnesses: readonly Witness[], label = ""): commonV1.Metric[] {
  if (witnesses.length === 0) return [];
  const nHeld = witnesses.filter(({ holds }) => holds).length;
  const areAlone = new Set(witnesses.map(({ patient }) => patient)).size === witnesses.length;
  const interval = areAlone ? wilsonInterval(nHeld, witnesses.length) : null;
  return [{ name, value: nHeld / witnesses.length, lower: interval?.low, upper: interval?.high, label }];
}

function mean(name: string, values: readonly number[], label = ""): commonV1.Metric[] {
  if (values.length === 0) return [];
  const value = values.reduce((sum, each) => sum + each, 0) / values.length;
  return [{ name, value, lower: undefined, upper: undefined, label }];
}
