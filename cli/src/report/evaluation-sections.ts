import type { ConfusionMatrix, EvaluationReport, MetricName, MetricTable } from "@parfocal/metrics";
import { INTERVAL_LABELS, METRIC_LABELS } from "../metric-names.ts";
import { renderCalibrationChart } from "./calibration-chart.ts";
import { formatCount, formatInterval, formatMetric, formatPlural, formatShare, NOTHING } from "./format.ts";
import { type Markup, markup, trusted } from "./markup.ts";
import { renderPrChart, renderRocChart } from "./roc-chart.ts";

/** The four numbers at the top of the page, by kind of task. */
const HEADLINES: Readonly<Record<EvaluationReport["task"]["kind"], readonly MetricName[]>> = {
  binary: ["auroc", "balancedAccuracy", "sensitivity", "specificity"],
  "multi-class": ["macroAuroc", "balancedAccuracy", "macroF1", "kappa"],
  ordinal: ["quadraticKappa", "macroAuroc", "balancedAccuracy", "accuracy"],
  "multi-label": ["macroAuroc", "macroAveragePrecision", "macroF1", "exactMatch"],
};

/** The headline numbers with their intervals. */
export function headlineTiles({ task, metrics }: EvaluationReport): Markup {
  return metricTiles(HEADLINES[task.kind], metrics);
}

/** Some metrics as tiles; those that the task or the data do not have are left out. */
export function metricTiles(names: readonly MetricName[], metrics: MetricTable): Markup {
  const tiles = names
    .filter((name) => metrics[name] !== undefined)
    .map(
      (name) =>
        markup`<li><span class="name">${METRIC_LABELS[name]}</span><span class="value">${formatMetric(metrics[name]?.value)}</span><span class="interval">95 % CI ${formatInterval(metrics[name]?.interval)}</span></li>`,
    );
  return markup`<ul class="tiles">${tiles}</ul>`;
}

/** All metrics with intervals, then what they rest on. */
export function metricsSection(evaluation: EvaluationReport, evaluatedOn: string): Markup {
  return markup`<section><h2>Metrics</h2><p>On ${evaluatedOn}: ${scopeSentence(evaluation)}</p><div class="scroll">${metricTable(evaluation.metrics)}</div>${perClassTable(evaluation)}<p class="note">${methodSentence(evaluation)}</p></section>`;
}

/** Confusion matrix, curves and calibration. */
export function figuresSection(evaluation: EvaluationReport): Markup {
  const { confusion, classes, thresholds, calibration, task } = evaluation;
  const confidence = task.kind === "multi-class" ? "Confidence of the predicted class" : "Predicted probability";
  const curves = { classes, thresholds };
  const figure = (svg: string, caption: string): Markup =>
    markup`<figure>${trusted(svg)}<figcaption>${caption}</figcaption></figure>`;
  return markup`<section><h2>Discrimination and calibration</h2><div class="grid">${figure(renderRocChart(curves), `ROC curve. The dashed diagonal is chance${thresholds.length > 0 ? "; a dot marks the decision threshold" : ""}.`)}${figure(renderPrChart(curves), "Precision-recall curve, in steps. A dashed line is a prevalence, which is what chance gives.")}${figure(renderCalibrationChart(calibration, confidence), "Calibration. On the diagonal, predicted probabilities come true; dots grow with the cases they stand for, bars count them.")}${confusion !== null && confusionFigure(confusion, task.classes)}</div></section>`;
}

/** Metrics with their intervals and how these were made. */
export function metricTable(metrics: MetricTable): Markup {
  const rows = (Object.keys(metrics) as MetricName[]).map((name) => {
    const estimate = metrics[name];
    const method = estimate?.interval ? INTERVAL_LABELS[estimate.interval.method] : NOTHING;
    return markup`<tr><th scope="row">${METRIC_LABELS[name]}</th><td class="number">${formatMetric(estimate?.value)}</td><td class="number">${formatInterval(estimate?.interval)}</td><td>${method}</td></tr>`;
  });
  return markup`<table><thead><tr><th>Metric</th><th class="number">Estimate</th><th class="number">95 % interval</th><th>Interval by</th></tr></thead><tbody>${rows}</tbody></table>`;
}

function perClassTable({ task, classes }: EvaluationReport): Markup | null {
  if (task.kind === "binary") return null;
  const columns: readonly MetricName[] = ["auroc", "averagePrecision", "sensitivity", "f1"];
  const cell = (metrics: MetricTable, name: MetricName): Markup =>
    markup`<td class="number">${formatMetric(metrics[name]?.value)}<br><span class="note">${formatInterval(metrics[name]?.interval)}</span></td>`;
  const rows = classes.map(
    ({ name, nPositives, metrics }) =>
      markup`<tr><th scope="row" class="text">${name}</th><td class="number">${formatCount(nPositives)}</td>${columns.map((column) => cell(metrics, column))}</tr>`,
  );
  const headings = columns.map((name) => markup`<th class="number">${METRIC_LABELS[name]}</th>`);
  const title = task.kind === "multi-label" ? "By label" : "By class, against the rest";
  return markup`<h3>${title}</h3><div class="scroll"><table><thead><tr><th>Class</th><th class="number">Cases</th>${headings}</tr></thead><tbody>${rows}</tbody></table></div>`;
}

function confusionFigure(confusion: ConfusionMatrix, names: readonly string[]): Markup {
  const rows = confusion.map((row, truth) => {
    const total = row.reduce((sum, count) => sum + count, 0);
    const cells = row.map((count) => {
      const share = total === 0 ? 0 : count / total;
      return markup`<td style="--share:${share.toFixed(3)}"><b>${formatCount(count)}</b><span>${formatShare(count, total)}</span></td>`;
    });
    return markup`<tr><th scope="row">${names[truth] ?? ""}</th>${cells}</tr>`;
  });
  const heading = names.map((name) => markup`<th scope="col">${name}</th>`);
  const className = names.length > 3 ? "wide" : "";
  return markup`<figure class="${className}"><div class="scroll"><table class="confusion"><thead><tr><td style="--share:0;background:none"></td>${heading}</tr></thead><tbody>${rows}</tbody></table></div><figcaption>Confusion matrix: rows are the truth, columns the decision; percentages are of the row.</figcaption></figure>`;
}

function scopeSentence({ nCases, nPatients, excluded }: EvaluationReport): string {
  const left = [
    excluded.unlabelled > 0 ? `${formatPlural(excluded.unlabelled, "case")} without a label` : null,
    excluded.failed > 0 ? `${formatPlural(excluded.failed, "case")} without a prediction` : null,
  ].filter((part) => part !== null);
  const suffix = left.length === 0 ? "none left out." : `left out: ${left.join(", ")}.`;
  return `${formatPlural(nCases, "case")} of ${formatPlural(nPatients, "patient")}, ${suffix}`;
}

function methodSentence({ areCasesIndependent, bootstrap }: EvaluationReport): string {
  const bootstrapped = `${formatCount(bootstrap.nResamples)} resamples of patients, percentile interval`;
  const redraws =
    bootstrap.nRedraws > 0 ? ` (${formatCount(bootstrap.nRedraws)} drawn again because a class was missing)` : "";
  const clustered = areCasesIndependent
    ? ""
    : " Some patients have several cases, so methods that assume independent cases are not used.";
  return `Patient bootstrap: ${bootstrapped}${redraws}. A bootstrap interval collapses to a point when the sample is separated perfectly: it then says nothing about the next patient.${clustered}`;
}
