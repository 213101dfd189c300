import { commonV1, type gatewayV1 } from "@parfocal/protocol";
import type { AssignedRow } from "../cohort/assign-parts.ts";
import type { PreparedExperiment } from "../experiment/prepare-experiment.ts";
import type { ScoredRow } from "../experiment/score-rows.ts";
import { formatPlural, type HeatmapFigure, type ReportData } from "../report/index.ts";
import { dataSummary } from "./data-summary.ts";
import { experimentCard } from "./experiment-card.ts";
import { casesOf, groupRuleOf } from "./group-words.ts";
import type { MeasuredOutcome } from "./measure-scored.ts";
import { reportRows } from "./report-rows.ts";
import { trainingRun } from "./training-run.ts";

/** One training of an experiment with everything that came of it. */
export interface FinishedRun {
  readonly prepared: PreparedExperiment;
  readonly seed: bigint;
  readonly rows: readonly AssignedRow[];
  /** As the gateway tells of it, with its history. */
  readonly model: gatewayV1.Model;
  /** The held-out slides. */
  readonly scored: readonly ScoredRow[];
  /** Empty when nothing could be measured. */
  readonly outcome: MeasuredOutcome;
  /** Maps of some of them. */
  readonly heatmaps: readonly HeatmapFigure[];
  /** As the reader should see it. */
  readonly generatedAt: string;
}

/** The report of a training. */
export function runReport(run: FinishedRun): ReportData {
  const { prepared, rows, model, scored, outcome, seed, generatedAt } = run;
  const { experiment, task } = prepared;
  const rule = groupRuleOf(experiment);
  const heldOut = casesOf(scored.length, countOf(rows, "test"), "held-out ");
  const example = scored.find(({ prediction }) => prediction !== undefined)?.prediction;
  return {
    title: titleOf(prepared),
    summary: `Trained on ${formatPlural(countOf(rows, "train"), "slide")} and shown ${heldOut} once, at the end. No patient is in two parts.${rule === undefined ? "" : ` Slides with one label: ${rule}.`}`,
    generatedAt,
    data: dataSummary(rows, task, [{ name: "Split", value: splitOf(rows, seed) }]),
    ...outcome,
    evaluatedOn: heldOut,
    training: [trainingRun(model, { isBest: experiment.sections.recipe?.selection !== "last" })],
    predictions: reportRows(scored, task, scored.length < countOf(rows, "test") ? rows : []),
    heatmaps: run.heatmaps,
    model: experimentCard({
      ...prepared,
      model,
      rows,
      seeds: [seed],
      examples: example === undefined ? [] : [example],
    }),
  };
}

const { KIND_BINARY, KIND_MULTICLASS } = commonV1.Task_Kind;

/** What an experiment is called: its name, and what it tells apart. */
export function titleOf({
  experiment,
  task,
}: {
  readonly experiment: { readonly name: string };
  readonly task: commonV1.Task;
}): string {
  const { classes, kind } = task;
  if (classes.length === 0) return experiment.name;
  // Labels, steps of an order and numbers are not against each other.
  const isAgainst = classes.length === 2 && (kind === KIND_BINARY || kind === KIND_MULTICLASS);
  return `${experiment.name}: ${isAgainst ? [...classes].reverse().join(" against ") : classes.join(", ")}`;
}

function splitOf(rows: readonly AssignedRow[], seed: bigint): string {
  const isGiven = rows.every(({ row }) => row.part !== undefined);
  return isGiven ? "as the labels table has it" : `by patient, stratified by label, seed ${seed}`;
}

function countOf(rows: readonly AssignedRow[], part: AssignedRow["part"]): number {
  return rows.filter((row) => row.part === part).length;
}
