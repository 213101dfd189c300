import type { commonV1, gatewayV1 } from "@parfocal/protocol";
import type { AssignedRow } from "../cohort/assign-parts.ts";
import type { CrossValidation } from "../experiment/cross-validate.ts";
import type { PreparedExperiment } from "../experiment/prepare-experiment.ts";
import type { ScoredRow } from "../experiment/score-rows.ts";
import { formatPlural, type PredictionRow, type ReportData } from "../report/index.ts";
import { dataSummary } from "./data-summary.ts";
import { experimentCard } from "./experiment-card.ts";
import { foldTable } from "./fold-table.ts";
import { type DecidedUnit, decidedUnitOf, groupRuleOf, unitsText } from "./group-words.ts";
import type { MeasuredOutcome } from "./measure-scored.ts";
import { reportRows } from "./report-rows.ts";
import { titleOf } from "./run-report.ts";
import { trainingRun } from "./training-run.ts";

/** What the report of a cross-validation is made of. */
export interface CrossReportSource {
  readonly prepared: PreparedExperiment;
  readonly validation: CrossValidation;
  /** Of the first repeat's predictions. */
  readonly outcome: MeasuredOutcome;
  readonly seed: bigint;
  /** As the reader should see it. */
  readonly generatedAt: string;
}

/** The report of a cross-validation. */
export function crossReport({ prepared, validation, outcome, seed, generatedAt }: CrossReportSource): ReportData {
  const { experiment, task } = prepared;
  const { response, report, repeats } = validation;
  const { folds: nFolds, repeats: nRepeats } = experiment;
  const [first = []] = repeats;
  const rows: readonly AssignedRow[] = first.map(({ assigned }) => assigned);
  const decided = decidedUnitOf(validation);
  const byRepeat = (validation.decided ?? repeats).map((repeat) => predictionsOf(repeat, response.folds, task));
  const times = nRepeats === 1 ? "" : `, ${nRepeats} times by other folds`;
  return {
    title: `${titleOf(prepared)}, cross-validated`,
    summary: `${formatPlural(nFolds, "fold")} by patient${times}: every slide was shown to a model that had seen neither it nor its patient. Figures and curves are of all ${decided.unit}s together${nRepeats === 1 ? "" : ", of the first repeat"}.${groupSentence(prepared, decided)}`,
    generatedAt,
    data: {
      ...dataSummary(rows, task, [
        {
          name: "Split",
          value: prepared.fixedFolds === undefined ? splitOf(rows, seed) : "folds as the tables have them",
        },
      ]),
      parts: [],
    },
    ...outcome,
    evaluatedOn: `${unitsText(decided)} by models that had not seen them`,
    folds: foldTable(response, validation),
    training: report.folds.map(({ result, history }) =>
      trainingRun({ history }, { name: nameOf(result?.repeat ?? 1, result?.fold ?? 1, nRepeats) }),
    ),
    predictions: byRepeat.flat(),
    judged: byRepeat[0] ?? [],
    heatmaps: [],
    model: experimentCard({
      ...{ ...prepared, rows, seeds: [seed], folds: response.folds },
      examples: repeats.flatMap((repeat) => examplesOf(repeat)),
    }),
  };
}

/** Rows by the model of their fold, where it was kept. */
export function predictionsOf(
  scored: readonly ScoredRow[],
  folds: readonly gatewayV1.FoldResult[],
  task: commonV1.Task,
): PredictionRow[] {
  const hasRepeats = folds.some(({ repeat }) => repeat > 1);
  const models = new Map(
    folds.map(({ repeat, fold, model }) => [hasRepeats ? `${repeat}.${fold}` : String(fold), model]),
  );
  return reportRows(scored, task).map((row) => ({ ...row, model: models.get(row.fold ?? "") || row.model }));
}

/** A prediction of each fold. */
function examplesOf(scored: readonly ScoredRow[]): commonV1.Prediction[] {
  const first = new Map(
    scored.toReversed().flatMap(({ row, prediction }) => (prediction === undefined ? [] : [[row.fold, prediction]])),
  );
  return [...first.values()];
}

/** What was decided once, and by which rule, where slides are put together; no words where they are not. */
function groupSentence({ experiment }: PreparedExperiment, { unit, nUnits, nSlides }: DecidedUnit): string {
  const rule = groupRuleOf(experiment);
  if (rule === undefined) return "";
  const units =
    unit === "slide"
      ? ""
      : ` Decided once: every ${unit}, ${formatPlural(nUnits, unit)} of ${formatPlural(nSlides, "slide")}.`;
  return ` Slides with one label: ${rule}.${units}`;
}

function splitOf(rows: readonly AssignedRow[], seed: bigint): string {
  if (rows.some(({ row }) => row.fold !== undefined || row.foldParts !== undefined))
    return `folds as the tables give them; who validates by patient, seed ${seed}`;
  const nSites = new Set(rows.flatMap(({ row }) => row.site ?? [])).size;
  const whole = nSites === 0 ? "" : `, ${formatPlural(nSites, "site")} kept whole`;
  return `by patient, stratified by label${whole}, seed ${seed}`;
}

function nameOf(repeat: number, fold: number, nRepeats: number): string {
  return nRepeats === 1 ? `fold ${fold}` : `repeat ${repeat}, fold ${fold}`;
}
