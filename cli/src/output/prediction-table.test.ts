import type { MetricName } from "@parfocal/metrics";
import { commonV1 } from "@parfocal/protocol";
import { expect, it } from "vitest";
import { snakeCase } from "../experiment/field-names.ts";
import { METRIC_LABELS } from "../metric-names.ts";
import { showEvaluations } from "./evaluation-table.ts";
import { createOutput, type Output } from "./output.ts";
import { showReportMetrics } from "./prediction-table.ts";

const NAMES = Object.keys(METRIC_LABELS) as readonly MetricName[];

/** First cells of the rows of the one table that is shown. */
function titlesShown(show: (output: Output) => void): string[] {
  const titles: string[] = [];
  const output: Output = {
    ...createOutput(true),
    table: (_, rows) => titles.push(...rows.map(([title = ""]) => title)),
  };
  show(output);
  return titles;
}

it("shows figures that were measured here as those that the gateway measured: the same ones, in the same words and order", () => {
  const metrics = Object.fromEntries(NAMES.map((name) => [name, { value: 0.5, interval: null }]));
  const here = titlesShown((output) => showReportMetrics(output, { metrics, nCases: 4, nPatients: 2 }));
  const evaluation = commonV1.Evaluation.fromPartial({
    metrics: NAMES.map((name) => ({ name: snakeCase(name), value: 0.5, label: "" })),
  });
  expect(here).toEqual(titlesShown((output) => showEvaluations(output, [{ name: "test", evaluation }])));
  expect(here).toContain("calibration error");
  expect(here).toContain("Brier score (integrated)");
});
