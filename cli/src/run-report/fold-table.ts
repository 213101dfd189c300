import type { commonV1, gatewayV1 } from "@parfocal/protocol";
import type { CrossValidation } from "../experiment/cross-validate.ts";
import { CERTAINTY_LABELS, FOLD_LABELS } from "../metric-names.ts";
import type { FoldRow, FoldTable } from "../report/index.ts";
import { foldNotes } from "./fold-notes.ts";
import { decidedUnitOf } from "./group-words.ts";

/**
 * The figures of folds beside each other, and of all folds of a repeat together; what tests is counted in what was decided: slides, patients or
 * groups.
 */
export function foldTable(
  response: gatewayV1.CrossValidateResponse,
  validation: Pick<CrossValidation, "repeats" | "decided"> = { repeats: [] },
): FoldTable {
  const { folds, pooled } = response;
  const { unit } = decidedUnitOf(validation);
  const columns = columnsOf([pooled[0], ...folds.map(({ test }) => test)]);
  const hasRepeats = pooled.length > 1;
  return {
    figures: columns.map(({ title }) => title),
    ...(unit === "slide" ? {} : { unit }),
    notes: foldNotes(response),
    rows: folds.map(({ repeat, fold, trainCount, validationCount, testCount, test }) => ({
      ...{ name: hasRepeats ? `Repeat ${repeat}, fold ${fold}` : `Fold ${fold}` },
      ...{ nTrain: trainCount, nValidation: validationCount, nTest: testedIn(validation, repeat, fold) ?? testCount },
      figures: columns.map((column) => figureOf(test, column)),
    })),
    pooled: pooled.map((evaluation, i) => ({
      name: hasRepeats ? `All ${unit}s, repeat ${i + 1}` : `All ${unit}s together`,
      nTest: evaluation.slideCount,
      figures: columns.map((column) => figureOf(evaluation, column)),
    })),
  };
}

/** How many groups of slides a fold decided; undefined where every slide was decided by itself. */
function testedIn({ decided }: Pick<CrossValidation, "decided">, repeat: number, fold: number): number | undefined {
  const own = decided?.[repeat - 1];
  const name = (decided?.length ?? 0) > 1 ? `${repeat}.${fold}` : String(fold);
  return own?.filter(({ row }) => row.fold === name).length;
}

interface FigureColumn {
  readonly name: string;
  /** The number of a regression that it is about; empty: the whole task. */
  readonly label: string;
  readonly title: string;
}

/** The figures of the whole task; of a regression, those of each of its numbers. */
function columnsOf(evaluations: readonly (commonV1.Evaluation | undefined)[]): FigureColumn[] {
  const metrics = distinct(evaluations.flatMap((evaluation) => evaluation?.metrics ?? []));
  const hasWhole = metrics.some(({ name, label }) => label === "" && FOLD_LABELS.has(name));
  const column = ({ name, label }: commonV1.Metric, title: string): FigureColumn => {
    return { name, label, title: label === "" ? title : `${label}: ${title}` };
  };
  const figures = metrics.flatMap((each) => {
    const title = FOLD_LABELS.get(each.name);
    return title === undefined || (each.label === "") !== hasWhole ? [] : [column(each, title)];
  });
  const certainty = metrics.flatMap((each) => {
    const title = CERTAINTY_LABELS.get(each.name);
    return title === undefined || (each.label !== "" && hasWhole) ? [] : [column(each, title)];
  });
  return [...figures, ...certainty];
}

/** Each figure once: folds have some that all of them together have not, as those of curves of one model. */
function distinct(metrics: readonly commonV1.Metric[]): commonV1.Metric[] {
  return [...Map.groupBy(metrics, ({ name, label }) => JSON.stringify([name, label])).values()].flatMap(
    ([first]) => first ?? [],
  );
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
