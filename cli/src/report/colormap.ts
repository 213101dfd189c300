/** A colour, 0 to 255 each. */
export type Rgb = readonly [red: number, green: number, blue: number];

/** Perceptually uniform colour maps: equal steps of value look equal, and grey printing keeps the order. */
export type ColormapName = "viridis" | "magma";

/**
 * Ten evenly spaced stops of each map; between them a straight line in sRGB is within 4 levels of the full table.
 *
 * Source: van der Walt & Smith 2015, the colour maps of matplotlib (CC0).
 */
const STOPS: Readonly<Record<ColormapName, readonly number[]>> = {
  viridis: [0x440154, 0x482878, 0x3e4989, 0x31688e, 0x26828e, 0x1f9e89, 0x35b779, 0x6ece58, 0xb5de2b, 0xfde725],
  magma: [0x000004, 0x180f3d, 0x440f76, 0x721f81, 0x9e2f7f, 0xcd4071, 0xf1605d, 0xfd9668, 0xfeca8d, 0xfcfdbf],
};

/** Colour of `fraction` in [0, 1]; values outside are clamped. */
export function colourOf(fraction: number, colormap: ColormapName): Rgb {
  const stops = STOPS[colormap];
  const position = Math.min(1, Math.max(0, fraction)) * (stops.length - 1);
  const below = Math.min(stops.length - 2, Math.floor(position));
  const low = stops[below] ?? 0;
  const high = stops[below + 1] ?? 0;
  const channel = (shift: number): number => {
    const [from, to] = [(low >> shift) & 255, (high >> shift) & 255];
    return Math.round(from + (to - from) * (position - below));
  };
  return [channel(16), channel(8), channel(0)];
}
