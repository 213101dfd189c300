import type { MetricName } from "@parfocal/metrics";
import type { commonV1, gatewayV1 } from "@parfocal/protocol";
import { type FoldRow, type FoldTable, METRIC_LABELS } from "../report/index.ts";

/** Figures that a table of folds shows, as far as the task has them, by their names in the contract. */
const SHOWN: Readonly<Record<string, MetricName>> = {
  auroc: "auroc",
  macro_auroc: "macroAuroc",
  quadratic_kappa: "quadraticKappa",
  average_precision: "averagePrecision",
  balanced_accuracy: "balancedAccuracy",
  macro_f1: "macroF1",
  exact_match: "exactMatch",
  c_index: "cIndex",
  uno_c_index: "unoCIndex",
  r2: "r2",
  mae: "mae",
  spearman: "spearman",
};

/** Whether certainty comes true: in the order in which they are shown, behind the others. */
const CERTAINTY: Readonly<Record<string, string>> = {
  set_coverage: "Sets that hold the truth",
  set_size: "Classes in the mean set",
  interval_coverage: "Intervals that hold the truth",
  interval_width: "Mean width of intervals",
  unlike_share: "Slides unlike the training part",
};

/** The figures of folds beside each other, and of all folds of a repeat together. */
export function foldTable({ folds, pooled }: gatewayV1.CrossValidateResponse): FoldTable {
  const columns = columnsOf(pooled[0]);
  const hasRepeats = pooled.length > 1;
  return {
    figures: columns.map(({ title }) => title),
    rows: folds.map(({ repeat, fold, trainCount, validationCount, testCount, test }) => ({
      ...{ name: hasRepeats ? `Repeat ${repeat}, fold ${fold}` : `Fold ${fold}` },
      ...{ nTrain: trainCount, nValidation: validationCount, nTest: testCount },
      figures: columns.map((column) => figureOf(test, column)),
    })),
    pooled: pooled.map((evaluation, i) => ({
      name: hasRepeats ? `All slides, repeat ${i + 1}` : "All slides together",
      nTest: evaluation.slideCount,
      figures: columns.map((column) => figureOf(evaluation, column)),
    })),
  };
}

interface FigureColumn {
  readonly name: string;
  /** The number of a regression that it is about; empty: the whole task. */
  readonly label: string;
  readonly title: string;
}

/** The figures of the whole task; of a regression, those of each of its numbers. */
function columnsOf(evaluation: commonV1.Evaluation | undefined): FigureColumn[] {
  const metrics = evaluation?.metrics ?? [];
  const hasWhole = metrics.some(({ name, label }) => label === "" && SHOWN[name] !== undefined);
  const column = ({ name, label }: commonV1.Metric, title: string): FigureColumn => {
    return { name, label, title: label === "" ? title : `${label}: ${title}` };
  };
  const figures = metrics.flatMap((each) => {
    const metric = SHOWN[each.name];
    return metric === undefined || (each.label === "") !== hasWhole ? [] : [column(each, METRIC_LABELS[metric])];
  });
  const certainty = metrics.flatMap((each) => {
    const title = CERTAINTY[each.name];
    return title === undefined || (each.label !== "" && hasWhole) ? [] : [column(each, title)];
  });
  return [...figures, ...certainty];
}

function figureOf(
  evaluation: commonV1.Evaluation | undefined,
  { name, label }: FigureColumn,
): FoldRow["figures"][number] {
  const metric = evaluation?.metrics.find((each) => each.name === name && each.label === label);
  if (metric === undefined) return null;
  const { value = null, lower, upper } = metric;
  return { value, ...(lower === undefined || upper === undefined ? {} : { low: lower, high: upper }) };
}
