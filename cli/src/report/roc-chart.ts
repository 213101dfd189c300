import type { ClassReport } from "@parfocal/metrics";
import { type Axis, chartDocument, createFrame, type Frame, legend, polyline, unitAxis } from "./chart.ts";
import { formatEstimate, formatMetric } from "./format.ts";
import { type Markup, markup } from "./markup.ts";
import { seriesStyle } from "./palette.ts";

const WIDTH = 420;
const PLOT = 344;
const LEFT = 60;
const TOP = 14;

/** What {@link renderRocChart} and {@link renderPrChart} draw. */
export interface CurveChartData {
  /** One curve each; classes without one are named in the legend as undefined. */
  readonly classes: readonly ClassReport[];
  /** Decision thresholds by class, marked on the ROC curves; empty for argmax decisions. */
  readonly thresholds: readonly number[];
}

/** ROC curves as an SVG document, with the AUROC and its interval in the legend and the chosen operating points marked. */
export function renderRocChart({ classes, thresholds }: CurveChartData): string {
  const frame = squareFrame(
    unitAxis("False positive rate (1 − specificity)"),
    unitAxis("True positive rate (sensitivity)"),
  );
  const chance = markup`<path class="reference" d="M${frame.x(0)} ${frame.y(0)}L${frame.x(1)} ${frame.y(1)}"/>`;
  const curves = classes.map(({ roc }, i) =>
    polyline(
      frame,
      (roc ?? []).map(({ fpr, tpr }) => [fpr, tpr] as const),
      i,
    ),
  );
  const markers = classes.map((each, i) => operatingMarker(frame, each, thresholds[i], i));
  const text = (each: ClassReport): string => `${each.name}: AUROC ${formatEstimate(each.metrics.auroc)}`;
  return curveDocument("ROC curve", frame, classes.map(text), markup`${chance}${curves}${markers}`);
}

/** Precision-recall curves as an SVG document of steps, with the average precision in the legend and prevalence as dashes. */
export function renderPrChart({ classes }: CurveChartData): string {
  const frame = squareFrame(unitAxis("Recall (sensitivity)"), unitAxis("Precision (positive predictive value)"));
  const prevalences = classes.map(({ nPositives, nNegatives }) => {
    const prevalence = nPositives / Math.max(1, nPositives + nNegatives);
    return markup`<path class="reference" d="M${frame.x(0)} ${frame.y(prevalence)}H${frame.x(1)}"/>`;
  });
  const curves = classes.map(({ pr }, i) => {
    // A step: the precision of each point holds back to the recall of the one before.
    const steps = (pr ?? []).flatMap(({ recall, precision }, k) => [
      [pr?.[k - 1]?.recall ?? 0, precision] as const,
      [recall, precision] as const,
    ]);
    return polyline(frame, steps, i);
  });
  const text = (each: ClassReport): string => `${each.name}: AP ${formatEstimate(each.metrics.averagePrecision)}`;
  return curveDocument("Precision-recall curve", frame, classes.map(text), markup`${prevalences}${curves}`);
}

function squareFrame(xAxis: Axis, yAxis: Axis): Frame {
  return createFrame({ left: LEFT, top: TOP, width: PLOT, height: PLOT, xAxis, yAxis });
}

function curveDocument(title: string, frame: Frame, entries: readonly string[], body: Markup): string {
  const legendTop = TOP + PLOT + 66;
  const height = legendTop + 20 * entries.length;
  const lines = entries.map((text, index) => ({ text, index }));
  const description = entries.join("; ");
  return chartDocument({ width: WIDTH, height, title, description }, [
    frame.axes,
    body,
    legend(lines, LEFT - 40, legendTop, 56),
  ]);
}

/** A dot where the curve stands at `threshold`: its last point at or above it. */
function operatingMarker(
  frame: Frame,
  { roc }: ClassReport,
  threshold: number | undefined,
  index: number,
): Markup | null {
  const point = roc?.findLast(
    (each) => each.threshold === null || (threshold !== undefined && each.threshold >= threshold),
  );
  if (point === undefined || threshold === undefined) return null;
  const [x, y] = [frame.x(point.fpr), frame.y(point.tpr)];
  // The label keeps inside the frame: below and right of the dot, left of it in the right half.
  const isRight = point.fpr > 0.55;
  const labelY = point.tpr < 0.12 ? y - 12 : y + 20;
  return markup`<circle class="marker" style="fill:${seriesStyle(index).colour}" cx="${x}" cy="${y}" r="6"/><text class="note" x="${isRight ? x - 10 : x + 10}" y="${labelY}" text-anchor="${isRight ? "end" : "start"}">threshold ${formatMetric(threshold)}</text>`;
}
