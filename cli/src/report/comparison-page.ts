import type { gatewayV1 } from "@parfocal/protocol";
import { METRIC_TITLES, REPORT_LABELS } from "../metric-names.ts";
import { figureLines, seenRecord } from "../output/seen-lines.ts";
import { formatMetric, formatPlural, NOTHING } from "./format.ts";
import { type Markup, markup, trusted } from "./markup.ts";
import { PAGE_STYLE } from "./page-style.ts";

/** What was found by one way of drawing the folds. */
export interface ComparedDraw {
  /** E.g. `seed 1, repeat 2`. */
  readonly name: string;
  readonly answer: gatewayV1.CompareModelsResponse;
}

/** Everything that {@link renderComparison} shows; every string is text. */
export interface ComparisonData {
  readonly experiment: string;
  /** Of the variants, in the order of the answers. */
  readonly names: readonly string[];
  readonly draws: readonly ComparedDraw[];
  readonly generatedAt: string;
  /** Name of a test, for people. */
  readonly methodOf: (row: gatewayV1.ModelComparison) => string;
}

const NOTE =
  "Every slide is judged by models of folds that had not seen its patient; the variants share folds and seeds. A difference is the first's value less the second's. P values are adjusted by Holm's method for the pairs of one metric, not for there being several metrics: name the one that counts beforehand. They speak of these models on these patients; folds share training patients, so they do not say what other data would give.";

/** One self-contained page on the variants of an experiment: figures side by side, and every pair tested. Deterministic. */
export function renderComparison(data: ComparisonData): string {
  const { experiment, names, draws, generatedAt } = data;
  const title = `${experiment}: ${names.join(", ")} compared`;
  const page = markup`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${title}</title><style>${trusted(PAGE_STYLE)}</style></head><body>
<header><h1>${title}</h1><p class="lede">${formatPlural(names.length, "variant")}, cross-validated by patient; ${formatPlural(draws.length, "draw")} of folds.</p></header>
<main>
${draws.map((draw) => drawSection(draw, data))}
</main>
<footer>Made by Parfocal, ${generatedAt}. For research use; not a medical device.</footer>
</body></html>
`;
  return page.text;
}

function drawSection({ name, answer }: ComparedDraw, { names, methodOf }: ComparisonData): Markup {
  const { evaluations, comparisons } = answer;
  const tests = comparisons.map(
    (row) =>
      markup`<tr><th scope="row">${titleOf(row.metric, row.label)}</th><td>${names[row.first] ?? ""} − ${names[row.second] ?? ""}</td><td class="number">${formatMetric(row.difference)}<br><span class="note">${interval(row)}</span></td><td class="number">${chance(row.pValue)}</td><td class="number">${chance(row.adjustedPValue)}</td><td>${methodOf(row)}</td></tr>`,
  );
  return markup`<section><h2>Figures, ${name}</h2>${figures(evaluations, names)}${seenNotes(evaluations, names)}<h2>Differences, ${name}</h2><div class="scroll"><table><thead><tr><th>Metric</th><th>Pair</th><th class="number">Difference</th><th class="number">p</th><th class="number">p, Holm</th><th>Test</th></tr></thead><tbody>${tests}</tbody></table></div><p class="note">${NOTE}</p></section>`;
}

function figures(evaluations: gatewayV1.CompareModelsResponse["evaluations"], names: readonly string[]): Markup {
  const [first] = evaluations;
  const shown = (first?.metrics ?? []).filter(({ name }) => METRIC_TITLES.has(name));
  const overall = shown.filter(({ label }) => label === "");
  const rows = (overall.length > 0 ? overall : shown).map(({ name, label }) => {
    const cells = evaluations.map(({ metrics }) => {
      const found = metrics.find((metric) => metric.name === name && metric.label === label);
      return markup`<td class="number">${formatMetric(found?.value)}<br><span class="note">${interval(found ?? {})}</span></td>`;
    });
    return markup`<tr><th scope="row">${titleOf(name, label)}</th>${cells}</tr>`;
  });
  const heading = names.map((name) => markup`<th class="number">${name}</th>`);
  return markup`<div class="scroll"><table><thead><tr><th>95 % intervals</th>${heading}</tr></thead><tbody>${rows}</tbody></table></div>`;
}

/** That slides are among the evaluated ones that a model has seen, or may have. */
function seenNotes(evaluations: gatewayV1.CompareModelsResponse["evaluations"], names: readonly string[]): Markup[] {
  return evaluations.flatMap(({ seen }, i) =>
    (seen === undefined ? [] : figureLines(seenRecord(seen))).map(
      (line) => markup`<p class="note">${names[i] ?? ""}: ${line}.</p>`,
    ),
  );
}

function titleOf(metric: string, label: string): string {
  const title = METRIC_TITLES.get(metric) ?? REPORT_LABELS.get(metric) ?? metric;
  return label === "" ? title : `${label}: ${title}`;
}

function interval({
  lower,
  upper,
}: {
  readonly lower?: number | undefined;
  readonly upper?: number | undefined;
}): string {
  return lower === undefined || upper === undefined ? NOTHING : `${formatMetric(lower)} – ${formatMetric(upper)}`;
}

function chance(p: number | undefined): string {
  if (p === undefined) return NOTHING;
  return p < 0.001 ? "<0.001" : p.toFixed(3);
}
