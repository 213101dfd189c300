import { calibrationBins, type EvaluationTask, wilsonInterval } from "@parfocal/metrics";
import { renderCalibrationChart } from "./calibration-chart.ts";
import { formatCount, formatInterval, formatPlural, formatShare, formatSignificant } from "./format.ts";
import { type Markup, markup, trusted } from "./markup.ts";
import type { PredictionRow } from "./report-data.ts";

/**
 * Whether what the model says of its own certainty comes true on these cases: sets and intervals against their stated coverage,
 * calibrated probabilities against what happened, and how many slides are unlike those it learnt from. Null when it says nothing.
 *
 * @param task what was decided; not given where no classes were.
 */
export function certaintySection(rows: readonly PredictionRow[], task?: EvaluationTask): Markup | null {
  // Sets of several labels are counted among the metrics.
  const ofClasses = task?.kind === "multi-label" ? [] : [setsTable(rows), calibratedFigure(rows, task?.classes)];
  const [sets = null, calibrated = null] = ofClasses;
  const parts = [sets, intervalsTable(rows), calibrated, unlikeSentence(rows)];
  if (parts.every((part) => part === null)) return null;
  const note =
    "Sets and intervals are made on the validation patients, so that at least the stated share of patients like those has its truth in them; calibrated probabilities are at the temperature fitted there. The validation part has also chosen epoch and threshold, so that new patients may do worse; few cases leave the share seen here uncertain.";
  return markup`<section><h2>Certainty</h2>${parts}<p class="note">${note}</p></section>`;
}

interface Held {
  readonly name: string;
  readonly stated: number | undefined;
  readonly isHeld: readonly boolean[];
  /** Mean number of classes, or mean width. */
  readonly size: string;
}

function setsTable(rows: readonly PredictionRow[]): Markup | null {
  const cases = rows.flatMap(({ truth, certainty }) =>
    typeof truth !== "string" || certainty?.set === undefined || certainty.absent !== undefined
      ? []
      : [{ truth, set: certainty.set, stated: certainty.coverage }],
  );
  if (cases.length === 0) return null;
  const nClasses = cases.reduce((sum, { set }) => sum + set.length, 0);
  return heldTable("Prediction sets", "Mean size", [
    {
      name: "all cases",
      stated: cases[0]?.stated,
      isHeld: cases.map(({ truth, set }) => set.includes(truth)),
      size: meanSize(nClasses, cases.length),
    },
    ...[...new Set(cases.map(({ truth }) => truth))].sort().map((name): Held => {
      const own = cases.filter(({ truth }) => truth === name);
      const total = own.reduce((sum, { set }) => sum + set.length, 0);
      const isHeld = own.map(({ set }) => set.includes(name));
      return { name, stated: undefined, isHeld, size: meanSize(total, own.length) };
    }),
  ]);
}

function meanSize(nClasses: number, nCases: number): string {
  return `${(nClasses / nCases).toFixed(2)} classes`;
}

function intervalsTable(rows: readonly PredictionRow[]): Markup | null {
  const names = [...new Set(rows.flatMap(({ certainty }) => Object.keys(certainty?.intervals ?? {})))];
  const held = names.map((name): Held => {
    const cases = rows.flatMap(({ trueValues, certainty }) => {
      const [truth, interval] = [trueValues?.[name], certainty?.intervals?.[name]];
      return truth === undefined || interval === undefined ? [] : [{ truth, interval }];
    });
    const width = cases.reduce((sum, { interval: [low, high] }) => sum + high - low, 0) / cases.length;
    const isHeld = cases.map(({ truth, interval: [low, high] }) => truth >= low && truth <= high);
    const stated = rows.find(({ certainty }) => certainty?.coverage !== undefined)?.certainty?.coverage;
    return { name, stated, isHeld, size: formatSignificant(width) };
  });
  const known = held.filter(({ isHeld }) => isHeld.length > 0);
  return known.length === 0 ? null : heldTable("Intervals of numbers", "Mean width", known);
}

function heldTable(title: string, sizeTitle: string, held: readonly Held[]): Markup {
  const rows = held.map(({ name, stated, isHeld, size }) => {
    const nHeld = isHeld.filter(Boolean).length;
    const interval = formatInterval(wilsonInterval(nHeld, isHeld.length));
    const promised = stated === undefined ? "" : `${(100 * stated).toFixed(1)} %`;
    return markup`<tr><th scope="row" class="text">${name}</th><td class="number">${promised}</td><td class="number">${formatShare(nHeld, isHeld.length)}</td><td class="number">${interval}</td><td class="number">${formatCount(isHeld.length)}</td><td class="number">${size}</td></tr>`;
  });
  return markup`<h3>${title}</h3><div class="scroll"><table><thead><tr><th>Truth</th><th class="number">Stated coverage</th><th class="number">Held</th><th class="number">95 % interval</th><th class="number">Cases</th><th class="number">${sizeTitle}</th></tr></thead><tbody>${rows}</tbody></table></div>`;
}

/** Of a binary task the positive class, of others the class that is most probable. */
function calibratedFigure(rows: readonly PredictionRow[], named?: readonly string[]): Markup | null {
  const cases = rows.flatMap(({ truth, certainty }) =>
    typeof truth !== "string" || certainty?.calibrated === undefined ? [] : [{ truth, p: certainty.calibrated }],
  );
  const classes = named ?? Object.keys(cases[0]?.p ?? {});
  const isSingle = cases.every(({ truth }) => classes.includes(truth));
  if (cases.length === 0 || classes.length < 2 || !isSingle) return null;
  const [, positive = ""] = classes;
  const scored = cases.map(({ truth, p }) => {
    const chosen = classes.length === 2 ? positive : mostProbable(p);
    return { isRight: Number(truth === chosen), p: p[chosen] ?? 0 };
  });
  const bins = calibrationBins(
    scored.map(({ isRight }) => isRight),
    scored.map(({ p }) => p),
  );
  const label = classes.length === 2 ? "Calibrated probability" : "Calibrated confidence of the predicted class";
  const caption = "Calibration at the temperature of the validation part, as above without it.";
  return markup`<figure>${trusted(renderCalibrationChart(bins, label))}<figcaption>${caption}</figcaption></figure>`;
}

function mostProbable(p: Readonly<Record<string, number>>): string {
  return Object.entries(p).toSorted(([, a], [, b]) => b - a)[0]?.[0] ?? "";
}

function unlikeSentence(rows: readonly PredictionRow[]): Markup | null {
  const compared = rows.flatMap(({ certainty }) => certainty?.typicality ?? []);
  if (compared.length === 0) return null;
  const nUnlike = compared.filter(({ unlike }) => unlike).length;
  return markup`<p>${formatCount(nUnlike)} of ${formatPlural(compared.length, "slide")} ${nUnlike === 1 ? "has" : "have"} features unlike those of the training slides: what is said of such slides rests on nothing that the model has seen.</p>`;
}
