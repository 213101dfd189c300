import { type Axis, chartDocument, createFrame, niceTicks } from "./chart.ts";
import { formatPlural, formatSignificant } from "./format.ts";
import { markup } from "./markup.ts";

const WIDTH = 420;
const LEFT = 66;
const PLOT = 338;
const TOP = 14;

/** Predicted against true numbers as an SVG document, one dot a case, with the line on which both are the same. */
export function renderScatterChart(
  name: string,
  points: readonly (readonly [truth: number, predicted: number])[],
): string {
  const numbers = points.flat();
  const low = numbers.reduce((least, value) => Math.min(least, value), Infinity);
  const high = numbers.reduce((most, value) => Math.max(most, value), -Infinity);
  const axis = (label: string): Axis => numberAxis(label, low, high);
  const [xAxis, yAxis] = [axis(`True ${name}`), axis(`Predicted ${name}`)];
  const frame = createFrame({ left: LEFT, top: TOP, width: PLOT, height: PLOT, xAxis, yAxis });
  const [from, to] = [xAxis.min, xAxis.max];
  const same = markup`<path class="reference" d="M${frame.x(from)} ${frame.y(from)}L${frame.x(to)} ${frame.y(to)}"/>`;
  const dots = points.map(
    ([truth, predicted]) =>
      markup`<circle style="fill:var(--s0);opacity:.6" cx="${frame.x(truth)}" cy="${frame.y(predicted)}" r="4"/>`,
  );
  const description = formatPlural(points.length, "case");
  const options = { width: WIDTH, height: TOP + PLOT + 52, title: `Predicted against true ${name}`, description };
  return chartDocument(options, [frame.axes, same, dots]);
}

function numberAxis(label: string, low: number, high: number): Axis {
  if (!(high > low)) return { min: low - 1, max: low + 1, ticks: [low], label, format: formatSignificant };
  const room = 0.04 * (high - low);
  const [min, max] = [low - room, high + room];
  return { min, max, ticks: niceTicks(min, max, 6), label, format: formatSignificant };
}
