import { createHash } from "node:crypto";
import { certaintySection } from "./certainty-section.ts";
import { colourOf } from "./colormap.ts";
import { figuresSection, headlineTiles, metricsSection, metricTiles } from "./evaluation-sections.ts";
import { foldsSection } from "./folds-section.ts";
import { formatCount } from "./format.ts";
import { type Markup, markup, trusted } from "./markup.ts";
import { numbersSection, survivalSection } from "./outcome-sections.ts";
import { PAGE_SCRIPT } from "./page-script.ts";
import { PAGE_STYLE } from "./page-style.ts";
import { predictionsSection } from "./predictions-section.ts";
import type { DataSummary, Fact, HeatmapFigure, ModelCard, ReportData, TrainingRun } from "./report-data.ts";
import { renderTrainingChart } from "./training-chart.ts";

/**
 * One self-contained HTML page: no request leaves it (its content policy forbids any), light or dark by the reader's
 * preference. Every string of `data` is escaped. Deterministic.
 */
export function renderReport(data: ReportData): string {
  const { evaluation } = data;
  const page = markup`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-${scriptDigest()}'">
<title>${data.title}</title><style>${trusted(PAGE_STYLE)}</style></head><body>
<header><h1>${data.title}</h1><p class="lede">${data.summary}</p>${headline(data)}</header>
<main>
${dataSection(data.data)}
${evaluation && metricsSection(evaluation, data.evaluatedOn ?? "the labelled cases")}
${evaluation && figuresSection(evaluation)}
${certaintySection(data.judged ?? data.predictions, evaluation?.task)}
${data.survival && survivalSection(data.survival, data.evaluatedOn ?? "the labelled cases")}
${data.numbers && numbersSection(data.numbers, data.evaluatedOn ?? "the labelled cases")}
${data.folds && foldsSection(data.folds)}
${trainingSection(data.training)}
${heatmapsSection(data.heatmaps)}
${predictionsSection(data.predictions)}
${modelSection(data.model)}
</main>
<footer>Made by Parfocal, ${data.generatedAt}. For research use; not a medical device.</footer>
<script>${trusted(PAGE_SCRIPT)}</script>
</body></html>
`;
  return page.text;
}

function headline({ evaluation, survival, numbers }: ReportData): Markup | null {
  if (evaluation !== undefined) return headlineTiles(evaluation);
  if (survival !== undefined) return metricTiles(["cIndex", "unoCIndex", "integratedBrier"], survival.report.metrics);
  const [first] = numbers?.report.targets ?? [];
  return first === undefined ? null : metricTiles(["r2", "mae", "rmse", "spearman"], first.metrics);
}

function dataSection({ facts, classes, parts }: DataSummary): Markup {
  const rows = parts.map(
    ({ name, nPatients, nSlides, perClass }) =>
      markup`<tr><th scope="row">${name}</th><td class="number">${formatCount(nPatients)}</td><td class="number">${formatCount(nSlides)}</td>${perClass.map((n) => markup`<td class="number">${formatCount(n)}</td>`)}</tr>`,
  );
  const headings = classes.map((name) => markup`<th class="number">${name}</th>`);
  const table = markup`<div class="scroll"><table><thead><tr><th>Part</th><th class="number">Patients</th><th class="number">Slides</th>${headings}</tr></thead><tbody>${rows}</tbody></table></div>`;
  return markup`<section><h2>Data</h2><div class="grid"><div>${factList(facts)}</div>${parts.length > 0 && table}</div></section>`;
}

function trainingSection(runs: readonly TrainingRun[]): Markup | null {
  if (!runs.some(({ epochs }) => epochs.length > 0)) return null;
  return markup`<section><h2>Training</h2><figure>${trusted(renderTrainingChart(runs))}</figure></section>`;
}

function heatmapsSection(heatmaps: readonly HeatmapFigure[]): Markup | null {
  if (heatmaps.length === 0) return null;
  const figures = heatmaps.map(({ slide, caption, png }) => {
    const source = `data:image/png;base64,${Buffer.from(png).toString("base64")}`;
    return markup`<figure><img src="${source}" alt="Attention heatmap of ${slide}"><figcaption><strong>${slide}</strong>${caption}</figcaption></figure>`;
  });
  const stops = Array.from({ length: 10 }, (_, i) => `rgb(${colourOf(i / 9, "viridis").join(" ")})`);
  const ramp = `linear-gradient(90deg,${stops.join(",")})`;
  return markup`<section><h2>Attention</h2><p>Each square is a tile at its place on the slide, coloured by the rank of its attention within the slide. Attention says where the model looked, not why, and not whether the tile is abnormal.</p><p class="ramp" style="--ramp:${ramp}">least attended<i></i>most attended</p><div class="heatmaps">${figures}</div></section>`;
}

function modelSection(card: ModelCard): Markup {
  const group = (title: string, facts: readonly Fact[]): Markup | false =>
    facts.length > 0 && markup`<div><h3>${title}</h3>${factList(facts)}</div>`;
  const limits = card.limitations.map((text) => markup`<li>${text}</li>`);
  const identity = [
    { name: "Model", value: card.name },
    { name: "Version", value: card.version },
    { name: "Intended use", value: card.intendedUse },
  ];
  const limitations = limits.length > 0 && markup`<div><h3>Limitations</h3><ul class="plain">${limits}</ul></div>`;
  return markup`<section><h2>Model card</h2><div class="grid">${group("Identity", identity)}${group("Decision", card.decision)}${group("Architecture", card.architecture)}${group("Recipe", card.recipe)}${group("Provenance", card.provenance)}${limitations}</div></section>`;
}

function factList(facts: readonly Fact[]): Markup {
  const items = facts.map(
    ({ name, value, isCode }) => markup`<dt>${name}</dt><dd>${isCode ? markup`<code>${value}</code>` : value}</dd>`,
  );
  return markup`<dl>${items}</dl>`;
}

function scriptDigest(): Markup {
  return trusted(createHash("sha256").update(PAGE_SCRIPT).digest("base64"));
}
