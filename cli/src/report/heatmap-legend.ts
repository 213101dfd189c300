import { drawTextInto, GLYPH_HEIGHT, textWidth } from "./bitmap-font.ts";
import { type ColormapName, colourOf, type Rgb } from "./colormap.ts";
import { fillInto, type Picture } from "./picture.ts";

const INK: Rgb = [70, 78, 92];
/** Maps at least this wide get larger letters: they are looked at smaller than they are. */
const WIDE_MAP_PX = 900;

/** A bar of colours with percentiles, and the range of raw values, below a map at its left. */
export interface HeatmapLegend {
  readonly width: number;
  readonly height: number;
  readonly textScale: number;
  readonly hasRawRange: boolean;
}

/** The legend for a map of `mapWidth` pixels. */
export function legendFor(mapWidth: number, hasRawRange: boolean): HeatmapLegend {
  const textScale = mapWidth >= WIDE_MAP_PX ? 3 : 2;
  const height = barHeight(textScale) + (hasRawRange ? 2 : 1) * lineHeight(textScale);
  return { width: 150 * textScale, height, textScale, hasRawRange };
}

/** Draws a legend with its top left at (left, top). */
export function drawLegendInto(
  picture: Picture,
  legend: HeatmapLegend,
  { left, top, values, colormap }: LegendContent,
): void {
  const { width, textScale } = legend;
  for (let x = 0; x < width; x += 1) {
    const colour = colourOf(x / (width - 1), colormap);
    fillInto(picture, { left: left + x, top, width: 1, height: barHeight(textScale) }, colour);
  }
  const first = top + barHeight(textScale) + 3 * textScale;
  drawRowInto(picture, ["0%", "percentile", "100%"], legend, { left, top: first });
  if (!legend.hasRawRange) return;
  const low = values.reduce((least, value) => Math.min(least, value), Infinity);
  const high = values.reduce((most, value) => Math.max(most, value), -Infinity);
  const second = first + lineHeight(textScale);
  drawRowInto(picture, [compact(low), "raw", compact(high)], legend, { left, top: second });
}

/** What {@link drawLegendInto} draws, and where. */
interface LegendContent {
  readonly left: number;
  readonly top: number;
  readonly values: Float32Array;
  readonly colormap: ColormapName;
}

function barHeight(textScale: number): number {
  return 6 * textScale;
}

function lineHeight(textScale: number): number {
  return (GLYPH_HEIGHT + 3) * textScale;
}

/** Three texts under the bar: at its left end, middle and right end. */
function drawRowInto(
  picture: Picture,
  texts: readonly [string, string, string],
  { width, textScale: scale }: HeatmapLegend,
  { left, top }: { readonly left: number; readonly top: number },
): void {
  texts.forEach((text, i) => {
    const room = width - textWidth(text, scale);
    drawTextInto(picture, text, { left: left + Math.round((room * i) / 2), top, scale, colour: INK });
  });
}

/** At most 8 characters, in the letters the bitmap font has. */
function compact(value: number): string {
  if (value === 0) return "0";
  const size = Math.abs(value);
  return size >= 1e-3 && size < 1e4 ? String(Number(value.toPrecision(3))) : value.toExponential(1);
}
