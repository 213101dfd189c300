/** The pieces every chart is made of: a frame with axes, polylines, a legend. Plain SVG 1.1, no external font. */
import { type Fragment, type Markup, markup, trusted } from "./markup.ts";
import { colourVariables, seriesStyle } from "./palette.ts";

/** A linear axis in data units. */
export interface Axis {
  readonly min: number;
  readonly max: number;
  readonly ticks: readonly number[];
  readonly label: string;
  readonly format: (value: number) => string;
}

/** A rectangle of the drawing, in SVG units, in which `x` and `y` map data to places. */
export interface Frame {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
  readonly x: (value: number) => number;
  readonly y: (value: number) => number;
  /** Grid, axes, ticks and labels. */
  readonly axes: Markup;
}

/** Where a frame lies and what it measures. `hasXLabels` false leaves them to a frame below that shares the axis. */
export interface FrameOptions {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
  readonly xAxis: Axis;
  readonly yAxis: Axis;
  readonly hasXLabels?: boolean;
}

/** Lays out axes; ticks outside an axis are left out. */
export function createFrame(options: FrameOptions): Frame {
  const { left, top, width, height, xAxis, yAxis } = options;
  const x = (value: number): number => round(left + (width * (value - xAxis.min)) / (xAxis.max - xAxis.min || 1));
  const y = (value: number): number =>
    round(top + height - (height * (value - yAxis.min)) / (yAxis.max - yAxis.min || 1));
  const bottom = top + height;
  const inside = (axis: Axis): readonly number[] =>
    axis.ticks.filter((tick) => tick >= axis.min - 1e-9 && tick <= axis.max + 1e-9);
  const rows = inside(yAxis).map(
    (tick) =>
      markup`<path class="grid" d="M${left} ${y(tick)}h${width}"/><text class="tick" x="${left - 8}" y="${y(tick)}" dy=".32em" text-anchor="end">${yAxis.format(tick)}</text>`,
  );
  const columns = inside(xAxis).map(
    (tick) =>
      markup`<path class="grid" d="M${x(tick)} ${top}v${height}"/>${options.hasXLabels !== false && markup`<text class="tick" x="${x(tick)}" y="${bottom + 18}" text-anchor="middle">${xAxis.format(tick)}</text>`}`,
  );
  const xLabel =
    options.hasXLabels !== false &&
    markup`<text class="label" x="${left + width / 2}" y="${bottom + 38}" text-anchor="middle">${xAxis.label}</text>`;
  const middle = top + height / 2;
  const yLabel = markup`<text class="label" transform="translate(${left - 44} ${middle}) rotate(-90)" text-anchor="middle">${yAxis.label}</text>`;
  const border = markup`<path class="axis" d="M${left} ${top}V${bottom}H${left + width}"/>`;
  return { left, top, width, height, x, y, axes: markup`${rows}${columns}${border}${xLabel}${yLabel}` };
}

/** A line through data points in the style of series `index`; points that are not finite break it. */
export function polyline(
  frame: Frame,
  points: readonly (readonly [number, number])[],
  index: number,
  className = "series",
): Markup {
  const { colour, dash } = seriesStyle(index);
  let isOpen = false;
  const d = points.map(([x, y]) => {
    if (!Number.isFinite(x) || !Number.isFinite(y)) {
      isOpen = false;
      return "";
    }
    const command = isOpen ? "L" : "M";
    isOpen = true;
    return `${command}${frame.x(x)} ${frame.y(y)}`;
  });
  return markup`<path class="${className}" style="stroke:${colour}" stroke-dasharray="${dash}" d="${d.join("")}"/>`;
}

/** One line of a legend. */
export interface LegendEntry {
  readonly text: string;
  readonly index: number;
}

/** Entries one below the other from (left, top), 20 units each. Long names are cut to `maxCharacters`. */
export function legend(entries: readonly LegendEntry[], left: number, top: number, maxCharacters = 60): Markup {
  const lines = entries.map(({ text, index }, row) => {
    const { colour, dash } = seriesStyle(index);
    const y = top + 20 * row;
    return markup`<path class="series" style="stroke:${colour}" stroke-dasharray="${dash}" d="M${left} ${y}h22"/><text class="legend" x="${left + 30}" y="${y}" dy=".34em">${shorten(text, maxCharacters)}</text>`;
  });
  return markup`${lines}`;
}

/** A complete SVG document of `width` x `height` units that follows the reader's light or dark preference. */
export function chartDocument(
  options: { width: number; height: number; title: string; description: string },
  body: Fragment,
): string {
  const { width, height, title, description } = options;
  return markup`<svg xmlns="http://www.w3.org/2000/svg" class="pf-chart" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${title}. ${description}"><title>${title}</title><desc>${description}</desc><style>${CHART_STYLE}</style>${body}</svg>`
    .text;
}

/** Ticks of 1, 2 or 5 times a power of ten, about `count` of them, covering [min, max]. */
export function niceTicks(min: number, max: number, count: number): number[] {
  const span = max - min;
  if (!(span > 0)) return [min];
  const power = 10 ** Math.floor(Math.log10(span / count));
  const step =
    [1, 2, 5, 10].map((factor) => factor * power).find((candidate) => span / candidate <= count) ?? 10 * power;
  const first = Math.ceil(min / step - 1e-9);
  const last = Math.floor(max / step + 1e-9);
  // Counting in whole steps keeps 0.30000000000000004 out of the labels.
  return Array.from({ length: last - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(12)));
}

/** An axis over [0, 1] with ticks every 0.2. */
export function unitAxis(label: string): Axis {
  return { min: 0, max: 1, ticks: [0, 0.2, 0.4, 0.6, 0.8, 1], label, format: (value) => value.toFixed(1) };
}

/** `text`, or its start and an ellipsis. */
export function shorten(text: string, maxCharacters: number): string {
  const characters = Array.from(text);
  return characters.length <= maxCharacters ? text : `${characters.slice(0, maxCharacters - 1).join("")}…`;
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}

const CHART_STYLE = trusted(
  [
    `.pf-chart{${colourVariables("light")};font-family:system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;font-variant-numeric:tabular-nums}`,
    `@media(prefers-color-scheme:dark){.pf-chart{${colourVariables("dark")}}}`,
    ".pf-chart text{fill:var(--ink)}",
    ".pf-chart .tick{font-size:12px;fill:var(--muted)}.pf-chart .label{font-size:13px}.pf-chart .legend{font-size:13px}",
    ".pf-chart .note{font-size:12px;fill:var(--muted);paint-order:stroke;stroke:var(--paper);stroke-width:4px;stroke-linejoin:round}",
    ".pf-chart .grid{stroke:var(--grid);fill:none}.pf-chart .axis{stroke:var(--faint);fill:none}",
    ".pf-chart .series{fill:none;stroke-width:2.25;stroke-linejoin:round;stroke-linecap:butt}.pf-chart .thin{fill:none;stroke-width:1.25;opacity:.75}",
    ".pf-chart .reference{fill:none;stroke:var(--faint);stroke-width:1.25;stroke-dasharray:3 4}",
    ".pf-chart .marker{stroke:var(--paper);stroke-width:2}",
  ].join(""),
);
