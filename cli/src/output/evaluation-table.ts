import { commonV1 } from "@parfocal/protocol";
import { METRIC_TITLES } from "../metric-names.ts";
import type { Output } from "./output.ts";
import { figureLines, seenRecord } from "./seen-lines.ts";

const decimals = (value: number | undefined): string => (value === undefined ? "–" : value.toFixed(3));

/**
 * Prints the main figures of evaluations side by side, each with its 95 % interval; `counted` in place of their numbers of slides.
 * Whether slides are among them that the model has seen is told below.
 */
export function showEvaluations(
  output: Output,
  parts: readonly {
    readonly name: string;
    readonly evaluation: commonV1.Evaluation | undefined;
    readonly counted?: string;
  }[],
): void {
  const known = parts.flatMap(({ evaluation, ...part }) => (evaluation === undefined ? [] : [{ ...part, evaluation }]));
  if (known.length === 0) return;
  const rowsOf = (label: string) =>
    [...METRIC_TITLES].flatMap(([key, title]) => {
      const cells = known.map(({ evaluation }) => estimateOf(evaluation, key, label));
      return cells.every((cell) => cell === "") ? [] : [[label === "" ? title : `${label}: ${title}`, ...cells]];
    });
  const overall = rowsOf("");
  // A regression of several numbers has no figure of all of them.
  const rows = overall.length > 0 ? overall : labelsOf(known).flatMap(rowsOf);
  const columns = known.map(({ name, evaluation, counted }) => ({
    title: `${name} (${counted ?? `${evaluation.slideCount} slides, ${evaluation.patientCount} patients`})`,
  }));
  output.table([{ title: "95 % intervals" }, ...columns], rows);
  for (const { name, evaluation, counted } of known) {
    const wording = counted === undefined ? {} : { noun: "case" };
    for (const line of evaluation.seen === undefined ? [] : figureLines(seenRecord(evaluation.seen), wording))
      output.line(`${name}: ${line}`);
    const whose = CENSORING.get(evaluation.censoring);
    if (whose !== undefined) output.line(`${name}: C-index (Uno) weighed by the censoring of the ${whose} cases`);
  }
}

function labelsOf(known: readonly { readonly evaluation: commonV1.Evaluation }[]): string[] {
  return [...new Set(known.flatMap(({ evaluation }) => evaluation.metrics.map(({ label }) => label)))];
}

function estimateOf(evaluation: commonV1.Evaluation, name: string, label: string): string {
  const metric = evaluation.metrics.find((candidate) => candidate.name === name && candidate.label === label);
  if (metric === undefined) return "";
  const { value, lower, upper } = metric;
  const interval = lower === undefined || upper === undefined ? "" : ` (${decimals(lower)} – ${decimals(upper)})`;
  return `${decimals(value)}${interval}`;
}

/** Whose censoring weighs figures of survival. */
const CENSORING: ReadonlyMap<commonV1.Evaluation_Censoring, string> = new Map([
  [commonV1.Evaluation_Censoring.CENSORING_TRAINING, "training"],
  [commonV1.Evaluation_Censoring.CENSORING_EVALUATED, "evaluated"],
]);

/** An evaluation as programs are shown it. */
export function evaluationRecord(evaluation: commonV1.Evaluation | undefined): object | null {
  if (evaluation === undefined) return null;
  const { metrics, slideCount, patientCount, confusion, censoring, seen } = evaluation;
  const figures = metrics.map(({ name, label, value, lower, upper }) => ({
    name,
    ...(label === "" ? {} : { class: label }),
    value: value ?? null,
    interval: lower === undefined || upper === undefined ? null : [lower, upper],
  }));
  const whose = CENSORING.get(censoring);
  const weighed = whose === undefined ? {} : { censoring: whose };
  return {
    metrics: figures,
    slides: slideCount,
    patients: patientCount,
    confusion,
    ...weighed,
    ...(seen && { seen: seenRecord(seen) }),
  };
}
