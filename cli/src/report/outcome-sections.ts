import { metricTable } from "./evaluation-sections.ts";
import { formatCount, formatPlural, formatSignificant } from "./format.ts";
import { type Markup, markup, trusted } from "./markup.ts";
import type { NumbersFigure, SurvivalFigure } from "./report-data.ts";
import { renderScatterChart } from "./scatter-chart.ts";
import { renderSurvivalChart } from "./survival-chart.ts";

/** Concordance of risks, and what became of patients of low and high risk. */
export function survivalSection(
  { report, groups, pValue, cut, censoring, isByPatient }: SurvivalFigure,
  evaluatedOn: string,
): Markup {
  const { nCases, nPatients, nEvents, metrics, bootstrap } = report;
  const scope = `On ${evaluatedOn}: ${formatPlural(nCases, "case")} of ${formatPlural(nPatients, "patient")}, ${formatPlural(nEvents, "event")}.`;
  const test = pValue === null ? "" : ` Log-rank test between the groups: p = ${formatSignificant(pValue)}.`;
  const isPredicted = groups.some(({ predicted = [] }) => predicted.length > 0);
  const dotted = isPredicted ? " Dotted: the mean survival that the model gives the cases of the group." : "";
  const nShown = groups.reduce((sum, group) => sum + group.nCases, 0);
  const whoCounts = [
    ...(isByPatient ? [" Each patient counts once here, by the mean risk of the patient's cases."] : []),
    ...(nShown > nPatients ? [" Cases of a patient that went differently count each, as if of several patients."] : []),
  ].join("");
  const caption = `Kaplan-Meier curves with 95 % intervals (log-log); ticks are censored cases.${whoCounts} Risks were cut at ${cut}.${test}${dotted}`;
  const whose = censoring === "training" ? "the training cases'" : "these cases'";
  const isJudged = metrics.integratedBrier === undefined ? " is" : " and the Brier score are";
  const method = `A C-index of 0.5 is chance. Uno's${isJudged} weighed by ${whose} censoring. ${bootstrapSentence(bootstrap.nResamples)}`;
  const figure = markup`<figure>${trusted(renderSurvivalChart(groups))}<figcaption>${caption}</figcaption></figure>`;
  return markup`<section><h2>Survival</h2><p>${scope}</p><div class="scroll">${metricTable(metrics)}</div><p class="note">${method}</p>${groups.length > 0 && figure}</section>`;
}

/** Errors and correlations of each number, with its predictions against the truth. */
export function numbersSection({ report, points }: NumbersFigure, evaluatedOn: string): Markup {
  const scope = `On ${evaluatedOn}: ${formatPlural(report.nCases, "case")} of ${formatPlural(report.nPatients, "patient")}.`;
  const targets = report.targets.map(({ name, nCases, metrics }) => {
    const chart = renderScatterChart(name, points[name] ?? []);
    const caption = "Each dot is a case; on the dashed line prediction and truth are the same.";
    return markup`<h3 class="text">${name}, ${formatPlural(nCases, "case")}</h3><div class="grid"><div class="scroll">${metricTable(metrics)}</div><figure>${trusted(chart)}<figcaption>${caption}</figcaption></figure></div>`;
  });
  const method = `R² may be negative: then the mean of the truth predicts better. ${bootstrapSentence(report.bootstrap.nResamples)}`;
  return markup`<section><h2>Numbers</h2><p>${scope}</p>${targets}<p class="note">${method}</p></section>`;
}

function bootstrapSentence(nResamples: number): string {
  return `Intervals: ${formatCount(nResamples)} resamples of patients, percentiles.`;
}
