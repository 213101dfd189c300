import { type KaplanMeierPoint, medianSurvival } from "@parfocal/metrics";
import { type Axis, chartDocument, createFrame, type Frame, legend, niceTicks, unitAxis } from "./chart.ts";
import { formatCount, formatSignificant } from "./format.ts";
import { type Fragment, type Markup, markup } from "./markup.ts";
import { seriesStyle } from "./palette.ts";

const WIDTH = 820;
const LEFT = 130;
const PLOT_WIDTH = WIDTH - LEFT - 24;
const PLOT_HEIGHT = 300;
const TOP = 14;
const ROW_HEIGHT = 18;

/** Patients with risks of one range, and what became of them. */
export interface SurvivalGroup {
  readonly name: string;
  readonly curve: readonly KaplanMeierPoint[];
  readonly nCases: number;
  readonly nEvents: number;
  /** Mean of the survival that the model gives its cases, from each time on; absent where it gives none. */
  readonly predicted?: readonly { readonly time: number; readonly survival: number }[];
}

/**
 * Kaplan-Meier curves as an SVG document: steps with their 95 % intervals, a tick where somebody was censored, and below how many were
 * at risk. Dotted beside them what the model gives, where it does. `timeLabel` names the axis.
 */
export function renderSurvivalChart(groups: readonly SurvivalGroup[], timeLabel = "Time"): string {
  const xAxis = timeAxis(groups, timeLabel);
  const yAxis = unitAxis("Free of the event");
  const frame = createFrame({ left: LEFT, top: TOP, width: PLOT_WIDTH, height: PLOT_HEIGHT, xAxis, yAxis });
  const bands = groups.map(({ curve }, i) => band(frame, curve, i));
  const curves = groups.map(({ curve, predicted = [] }, i) => [
    steps(frame, curve, i),
    censorings(frame, curve, i),
    predictedSteps(frame, predicted, xAxis.max, i),
  ]);
  const riskTop = TOP + PLOT_HEIGHT + 66;
  const legendTop = riskTop + ROW_HEIGHT * groups.length + 22;
  const entries = groups.map((group, index) => ({ text: legendText(group), index }));
  const size = { width: WIDTH, height: legendTop + 20 * groups.length };
  const description = groups.map(legendText).join("; ");
  return chartDocument({ ...size, title: "Kaplan-Meier curves by predicted risk", description }, [
    frame.axes,
    bands,
    curves,
    riskTable(frame, groups, xAxis, riskTop),
    legend(entries, LEFT - 40, legendTop, 90),
  ]);
}

function legendText({ name, nCases, nEvents, curve }: SurvivalGroup): string {
  const median = medianSurvival(curve);
  const half = median === null ? "median not reached" : `median ${formatSignificant(median)}`;
  return `${name}: ${formatCount(nCases)} cases, ${formatCount(nEvents)} events, ${half}`;
}

function timeAxis(groups: readonly SurvivalGroup[], label: string): Axis {
  const last = groups.reduce((most, { curve }) => Math.max(most, curve.at(-1)?.time ?? 0), 0);
  const max = last > 0 ? last : 1;
  return { min: 0, max, ticks: niceTicks(0, max, 8), label, format: formatSignificant };
}

/** The curve as steps: a value holds from its time to the next one's. */
function steps(frame: Frame, curve: readonly KaplanMeierPoint[], index: number): Markup {
  const { colour, dash } = seriesStyle(index);
  const [first, ...rest] = curve;
  const start = `M${frame.x(first?.time ?? 0)} ${frame.y(first?.survival ?? 1)}`;
  const d = rest.map(({ time, survival }) => `H${frame.x(time)}V${frame.y(survival)}`);
  return markup`<path class="series" style="stroke:${colour}" stroke-dasharray="${dash}" d="${start}${d.join("")}"/>`;
}

/** What is predicted, as dots: from time 0 on, as far as the axis goes. */
function predictedSteps(
  frame: Frame,
  points: NonNullable<SurvivalGroup["predicted"]>,
  end: number,
  index: number,
): Markup | null {
  const shown = points.filter(({ time }) => time <= end);
  if (shown.length === 0) return null;
  const d = shown.map(({ time, survival }) => `H${frame.x(time)}V${frame.y(survival)}`);
  const path = `M${frame.x(0)} ${frame.y(1)}${d.join("")}H${frame.x(Math.min(end, points.at(-1)?.time ?? end))}`;
  return markup`<path class="series" style="stroke:${seriesStyle(index).colour}" stroke-dasharray="1.5 4" d="${path}"/>`;
}

function censorings(frame: Frame, curve: readonly KaplanMeierPoint[], index: number): Fragment {
  const d = curve
    .filter(({ censored }) => censored > 0)
    .map(({ time, survival }) => `M${frame.x(time)} ${frame.y(survival) - 5}v10`);
  return markup`<path class="thin" style="stroke:${seriesStyle(index).colour}" d="${d.join("")}"/>`;
}

/** The 95 % interval; it ends where the curve has reached 0 and nothing is known. */
function band(frame: Frame, curve: readonly KaplanMeierPoint[], index: number): Markup | null {
  const known = curve.filter(({ low, high }) => low !== null && high !== null);
  if (known.length < 2) return null;
  const end = curve[known.length]?.time ?? known.at(-1)?.time ?? 0;
  const upper = known.map(({ time, high }, i) => edge(frame, time, high ?? 1, i === 0));
  const lower = known.toReversed().map(({ time, low }) => `V${frame.y(low ?? 0)}H${frame.x(time)}`);
  const d = `${upper.join("")}H${frame.x(end)}${lower.join("")}Z`;
  return markup`<path style="fill:${seriesStyle(index).colour};opacity:.13" d="${d}"/>`;
}

function edge(frame: Frame, time: number, value: number, isFirst: boolean): string {
  return isFirst ? `M${frame.x(time)} ${frame.y(value)}` : `H${frame.x(time)}V${frame.y(value)}`;
}

function riskTable(frame: Frame, groups: readonly SurvivalGroup[], { ticks }: Axis, top: number): Fragment {
  const heading = markup`<text class="tick" x="${LEFT - 118}" y="${top - 6}">At risk</text>`;
  const rows = groups.map(({ name, curve }, row) => {
    const y = top + ROW_HEIGHT * (row + 1) - 6;
    const title = markup`<text class="tick" x="${LEFT - 118}" y="${y}" style="fill:${seriesStyle(row).colour}">${name}</text>`;
    const counts = ticks.map(
      (tick) =>
        markup`<text class="tick" x="${frame.x(tick)}" y="${y}" text-anchor="middle">${formatCount(atRisk(curve, tick))}</text>`,
    );
    return [title, counts];
  });
  return [heading, rows];
}

/** Cases that are neither dead nor censored just before `time`. */
function atRisk(curve: readonly KaplanMeierPoint[], time: number): number {
  const next = curve.find((point) => point.time >= time);
  if (next !== undefined) return next.atRisk;
  const last = curve.at(-1);
  return last === undefined ? 0 : last.atRisk - last.events - last.censored;
}
