import { formatCount, formatMetric, NOTHING } from "./format.ts";
import { type Markup, markup } from "./markup.ts";
import type { FoldRow, FoldTable } from "./report-data.ts";

/** What every fold gave on the slides that it had not seen, their mean and spread, and all that was decided together. */
export function foldsSection({ figures, rows, pooled, unit: grouped, notes = [] }: FoldTable): Markup {
  const unit = grouped ?? "slide";
  const tested = unit === "slide" ? "Test" : `Test (${unit}s)`;
  const heading = ["Train", "Validation", tested, ...figures].map((name) => markup`<th class="number">${name}</th>`);
  const summary = summaryRow(rows, figures.length);
  const body = [...rows.map((row) => foldRow(row, "")), summary, ...pooled.map((row) => foldRow(row, "strong"))];
  const counted =
    unit === "slide"
      ? ""
      : ` What trains and validates is counted in slides, what tests in ${unit}s, each decided once.`;
  const note = `Mean and standard deviation are over folds, whose training parts overlap: they are no interval. All ${unit}s together is each ${unit} by the model of the fold that had not seen it, with 95 % intervals.${counted}`;
  const divided = notes.map((text) => markup`<p class="note">${text}</p>`);
  return markup`<section><h2>Folds</h2><div class="scroll"><table><thead><tr><th>Fold</th>${heading}</tr></thead><tbody>${body}</tbody></table></div><p class="note">${note}</p>${divided}</section>`;
}

function foldRow({ name, nTrain, nValidation, nTest, figures }: FoldRow, className: string): Markup {
  const counts = [nTrain, nValidation, nTest].map(
    (count) => markup`<td class="number">${count === undefined ? NOTHING : formatCount(count)}</td>`,
  );
  const cells = figures.map((figure) => {
    const interval = figure?.low === undefined || figure.high === undefined ? null : figure;
    return markup`<td class="number">${formatMetric(figure?.value)}${interval && markup`<br><span class="note">${formatMetric(interval.low)} – ${formatMetric(interval.high)}</span>`}</td>`;
  });
  return markup`<tr class="${className}"><th scope="row">${name}</th>${counts}${cells}</tr>`;
}

function summaryRow(rows: readonly FoldRow[], nFigures: number): Markup | null {
  if (rows.length < 2) return null;
  const cells = Array.from({ length: nFigures }, (_, k) => {
    const values = rows.flatMap(({ figures }) => figures[k]?.value ?? []);
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
    const deviation = values.length < 2 ? Number.NaN : Math.sqrt(squares / (values.length - 1));
    return markup`<td class="number">${formatMetric(mean)} ± ${formatMetric(deviation)}</td>`;
  });
  return markup`<tr class="strong"><th scope="row">Mean ± standard deviation</th><td></td><td></td><td></td>${cells}</tr>`;
}
