import { gatewayV1 } from "@parfocal/protocol";
import { UsageError } from "../exit-codes.ts";
import { evaluationRecord, showEvaluations } from "./evaluation-table.ts";
import type { Output } from "./output.ts";

const { METHOD_DELONG, METHOD_MCNEMAR } = gatewayV1.ModelComparison_Method;

/**
 * Shows how models do side by side, then how every pair differs. `names` are the models as they were asked for.
 *
 * @throws {UsageError} when `metric` is given and was not measured.
 */
export function showComparison(
  output: Output,
  names: readonly string[],
  { evaluations, names: versions, comparisons }: gatewayV1.CompareModelsResponse,
  metric?: string,
): void {
  const wanted = comparisons.filter((row) => metric === undefined || row.metric === metric);
  if (wanted.length === 0) {
    const known = [...new Set(comparisons.map((row) => row.metric))].join(", ");
    throw new UsageError(`the metric ${metric} was not measured; there are ${known}`);
  }
  const records = comparisonRecords({ evaluations, names: versions, comparisons: wanted });
  for (const record of [...records.models, ...records.pairs]) output.record(record);
  showEvaluations(
    output,
    evaluations.map((evaluation, i) => ({ name: names[i] ?? "", evaluation })),
  );
  output.line();
  output.table(
    [
      { title: "metric" },
      { title: "pair" },
      { title: "difference (95 % interval)", align: "right" },
      { title: "p", align: "right" },
      { title: "p, Holm", align: "right" },
      { title: "test" },
    ],
    wanted.map((row) => rowOf(row, names)),
  );
}

/** A comparison as programs read it: a record per model, and one per pair and metric. */
export function comparisonRecords({ evaluations, names, comparisons }: gatewayV1.CompareModelsResponse): {
  readonly models: readonly object[];
  readonly pairs: readonly object[];
} {
  return {
    models: names.map((model, i) => ({ model, evaluation: evaluationRecord(evaluations[i]) })),
    pairs: comparisons.map((row) => recordOf(row, names)),
  };
}

function rowOf(row: gatewayV1.ModelComparison, names: readonly string[]): string[] {
  const { difference, lower, upper, pValue, adjustedPValue } = row;
  const interval = lower === undefined || upper === undefined ? "" : ` (${signed(lower)} – ${signed(upper)})`;
  return [
    row.label === "" ? row.metric : `${row.metric} of ${row.label}`,
    `${names[row.first]} − ${names[row.second]}`,
    `${difference === undefined ? "–" : signed(difference)}${interval}`,
    chance(pValue),
    chance(adjustedPValue),
    methodOf(row),
  ];
}

function recordOf(row: gatewayV1.ModelComparison, versions: readonly string[]): object {
  const { metric, label, difference, lower, upper, pValue, adjustedPValue } = row;
  return {
    metric,
    ...(label === "" ? {} : { target: label }),
    first: versions[row.first],
    second: versions[row.second],
    difference: difference ?? null,
    interval: lower === undefined || upper === undefined ? null : [lower, upper],
    p: pValue ?? null,
    adjusted_p: adjustedPValue ?? null,
    method: methodOf(row),
  };
}

/** Name of the test. */
export function methodOf({ method }: gatewayV1.ModelComparison): string {
  if (method === METHOD_DELONG) return "DeLong";
  return method === METHOD_MCNEMAR ? "McNemar" : "paired bootstrap";
}

function signed(value: number): string {
  return `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(3)}`;
}

function chance(p: number | undefined): string {
  if (p === undefined) return "–";
  return p < 0.001 ? "<0.001" : p.toFixed(3);
}
