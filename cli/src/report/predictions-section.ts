import { formatCount, formatMetric, formatPlural, formatSignificant, NOTHING } from "./format.ts";
import { type Markup, markup } from "./markup.ts";
import { namesIn } from "./named-numbers.ts";
import type { PredictionRow } from "./report-data.ts";
import { slideText, truthText } from "./row-words.ts";

/** Rows of the table; more make a page slow to open, and the CSV has them all. */
const MAX_ROWS = 1000;

/** A column of the table. */
interface PredictionColumn {
  readonly title: string;
  readonly isNumber?: boolean;
  cell(row: PredictionRow): Markup;
}

/** The predictions as a table that sorts by the press of a heading. */
export function predictionsSection(rows: readonly PredictionRow[]): Markup | null {
  if (rows.length === 0) return null;
  const shown = rows.slice(0, MAX_ROWS);
  const cut =
    rows.length > shown.length && ` The table shows the first ${formatCount(shown.length)}; the CSV has them all.`;
  const columns = columnsOf(rows);
  const headings = columns.map(
    ({ title, isNumber }) =>
      markup`<th scope="col" class="${isNumber ? "number" : ""}"><button type="button">${title}</button></th>`,
  );
  const body = shown.map((row) => markup`<tr>${columns.map(({ cell }) => cell(row))}</tr>`);
  const isOfSlides = rows.every(({ fold, slides }) => fold === undefined && slides === undefined);
  const noun = isOfSlides ? "slide" : "prediction";
  return markup`<section><h2>Predictions</h2><p>${formatPlural(rows.length, noun)}.${cut} Press a heading to sort.</p><div class="predictions"><table data-sortable><thead><tr>${headings}</tr></thead><tbody>${body}</tbody></table></div></section>`;
}

/** Only columns that some row fills, but for slide and patient. */
function columnsOf(rows: readonly PredictionRow[]): PredictionColumn[] {
  const some = (isThere: (row: PredictionRow) => boolean) => rows.some(isThere);
  const classes = namesIn(rows, ({ probabilities }) => probabilities);
  const numbers = namesIn(rows, ({ values, trueValues }) => ({ ...trueValues, ...values }));
  const isOther = numbers.length > 0 || some(({ risk, outcome }) => risk !== undefined || outcome !== undefined);
  return [
    { title: "Slide", cell: (row) => textCell(slideText(row)) },
    { title: "Patient", cell: ({ patient }) => textCell(patient ?? NOTHING) },
    ...(some(({ fold }) => fold !== undefined) ? [{ title: "Fold", cell: foldCell }] : []),
    ...(isOther ? [] : [{ title: "Truth", cell: truthCell }]),
    ...(isOther && !some(({ error }) => error !== undefined) ? [] : [{ title: "Decision", cell: decisionCell }]),
    ...classes.map((name) => ({
      title: name,
      isNumber: true,
      cell: (row: PredictionRow) => probabilityCell(row, name),
    })),
    ...numbers.flatMap((name) => [
      { title: `True ${name}`, isNumber: true, cell: (row: PredictionRow) => numberCell(row.trueValues?.[name]) },
      { title: `Predicted ${name}`, isNumber: true, cell: (row: PredictionRow) => numberCell(row.values?.[name]) },
    ]),
    ...(some(({ outcome }) => outcome !== undefined) ? OUTCOME : []),
    ...(some(({ risk }) => risk !== undefined)
      ? [{ title: "Risk", isNumber: true, cell: ({ risk }: PredictionRow) => numberCell(risk) }]
      : []),
  ];
}

const OUTCOME: readonly PredictionColumn[] = [
  { title: "Time", isNumber: true, cell: ({ outcome }) => numberCell(outcome?.time) },
  {
    title: "Event",
    cell: ({ outcome }) => markup`<td>${outcome === undefined ? NOTHING : outcome.event ? "yes" : "censored"}</td>`,
  },
];

function textCell(text: string): Markup {
  return markup`<td class="text">${text}</td>`;
}

function foldCell({ fold }: PredictionRow): Markup {
  return markup`<td>${fold ?? NOTHING}</td>`;
}

function truthCell(row: PredictionRow): Markup {
  return markup`<td>${truthText(row) ?? NOTHING}</td>`;
}

/** Whether the decided classes are the true ones; those of which nobody knows do not count. Null where there is nothing to compare. */
export function isDecidedRightly({ truth, unknown = [], decision }: PredictionRow): boolean | null {
  if (typeof truth !== "string" || decision === null) return null;
  const namesOf = (text: string) =>
    new Set(text.split(/;\s*/).filter((name) => name !== "" && !unknown.includes(name)));
  const [known, decided] = [namesOf(truth), namesOf(decision)];
  return known.size === decided.size && [...known].every((name) => decided.has(name));
}

function decisionCell(row: PredictionRow): Markup {
  const { decision, error } = row;
  if (decision === null && error !== undefined) {
    return markup`<td><span class="wrong">${error.code}</span> <span class="why">${error.message}</span></td>`;
  }
  if (decision === null) return markup`<td><span class="wrong">failed</span></td>`;
  const isRight = isDecidedRightly(row);
  const verdict =
    isRight !== null &&
    (isRight
      ? markup` <span class="right" title="right">✓</span>`
      : markup` <span class="wrong" title="wrong">✗</span>`);
  return markup`<td>${decision}${verdict}</td>`;
}

function probabilityCell({ probabilities }: PredictionRow, name: string): Markup {
  const p = probabilities?.[name];
  if (p === undefined) return markup`<td class="number" data-sort="-1">${NOTHING}</td>`;
  const width = (100 * Math.min(1, Math.max(0, p))).toFixed(1);
  return markup`<td class="number" data-sort="${p}">${formatMetric(p)}<span class="bar" aria-hidden="true"><i style="width:${width}%"></i></span></td>`;
}

function numberCell(value: number | undefined): Markup {
  if (value === undefined) return markup`<td class="number" data-sort="">${NOTHING}</td>`;
  return markup`<td class="number" data-sort="${value}">${formatSignificant(value)}</td>`;
}
