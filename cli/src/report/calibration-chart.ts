import type { CalibrationBin } from "@parfocal/metrics";
import { chartDocument, createFrame, polyline, unitAxis } from "./chart.ts";
import { formatCount, formatPlural } from "./format.ts";
import { type Fragment, markup } from "./markup.ts";

const WIDTH = 420;
const LEFT = 60;
const PLOT = 344;
const TOP = 14;
const STRIP_TOP = TOP + PLOT + 12;
const STRIP_HEIGHT = 44;

/**
 * Reliability diagram as an SVG document: observed frequency against mean predicted probability, dots by the size of the bin,
 * and below how many cases each bin holds. `confidenceLabel` says what probability it is.
 */
export function renderCalibrationChart(
  bins: readonly CalibrationBin[],
  confidenceLabel = "Predicted probability",
): string {
  const frame = createFrame({
    left: LEFT,
    top: TOP,
    width: PLOT,
    height: PLOT,
    xAxis: unitAxis(confidenceLabel),
    yAxis: unitAxis("Observed frequency"),
    hasXLabels: false,
  });
  const filled = bins.filter(({ n }) => n > 0);
  const total = filled.reduce((sum, { n }) => sum + n, 0);
  const points = filled.map(
    ({ meanPredicted, observed }) => [meanPredicted ?? Number.NaN, observed ?? Number.NaN] as const,
  );
  const dots = filled.map(({ n }, i) => {
    const [x, y] = points[i] ?? [0, 0];
    // Area in proportion to the share of cases, so that the eye weighs bins as the error does.
    const radius = 3.5 + 9 * Math.sqrt(n / total);
    return markup`<circle class="marker" style="fill:var(--s0)" cx="${frame.x(x)}" cy="${frame.y(y)}" r="${radius.toFixed(2)}"><title>${formatPlural(n, "case")}</title></circle>`;
  });
  const ideal = markup`<path class="reference" d="M${frame.x(0)} ${frame.y(0)}L${frame.x(1)} ${frame.y(1)}"/>`;
  const description = `${formatPlural(total, "case")} in ${formatPlural(filled.length, "bin")}`;
  const options = { width: WIDTH, height: STRIP_TOP + STRIP_HEIGHT + 46, title: "Calibration", description };
  return chartDocument(options, [
    frame.axes,
    ideal,
    polyline(frame, points, 0),
    dots,
    histogram(bins, confidenceLabel),
  ]);
}

function histogram(bins: readonly CalibrationBin[], label: string): Fragment {
  const most = bins.reduce((high, { n }) => Math.max(high, n), 1);
  const bottom = STRIP_TOP + STRIP_HEIGHT;
  const bars = bins.map(({ low, high, n }) => {
    const height = n === 0 ? 0 : Math.max(1, (STRIP_HEIGHT * n) / most);
    const x = LEFT + PLOT * low + 1.5;
    return markup`<rect x="${x.toFixed(2)}" y="${(bottom - height).toFixed(2)}" width="${(PLOT * (high - low) - 3).toFixed(2)}" height="${height.toFixed(2)}" style="fill:var(--s0);opacity:.45"/>`;
  });
  const ticks = unitAxis(label).ticks.map(
    (tick) =>
      markup`<text class="tick" x="${(LEFT + PLOT * tick).toFixed(2)}" y="${bottom + 18}" text-anchor="middle">${tick.toFixed(1)}</text>`,
  );
  return markup`${bars}<path class="axis" d="M${LEFT} ${bottom}h${PLOT}"/><text class="tick" x="${LEFT - 8}" y="${STRIP_TOP}" dy=".8em" text-anchor="end">${formatCount(most)}</text><text class="tick" x="${LEFT - 8}" y="${bottom}" text-anchor="end">0</text>${ticks}<text class="label" x="${LEFT + PLOT / 2}" y="${bottom + 38}" text-anchor="middle">${label}</text>`;
}
