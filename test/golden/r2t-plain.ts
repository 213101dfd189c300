/**
 * R2T written down tile by tile in f64: the slow oracle of the fast one. It convolves the map of scores, as the method is
 * published, and has no padding but the zero tiles it is told to have. Legend: C width, H heads, d = C/H, K representatives.
 */

type Vector = readonly number[];
/** Tiles of a region in order; absent ones are padding that takes part. */
type Region = readonly (Vector | undefined)[];

/** Parameter values by their name behind `reembed.`. */
export type PlainParameters = (name: string) => readonly number[];

/** Sizes of the oracle. */
export interface PlainSizes {
  readonly heads: number;
  readonly crossHeads: number;
  readonly nTaps: number;
  readonly nRepresentatives: number;
}

/** Numbers of the tiles of every region in order, -1 for padding that takes part. */
export type Regions = readonly (readonly number[])[];

const dot = (a: Vector, b: Vector): number => a.reduce((sum, x, i) => sum + x * (b[i] ?? 0), 0);
const plus = (a: Vector, b: Vector): number[] => a.map((x, i) => x + (b[i] ?? 0));
const rowsOf = (flat: Vector, width: number): number[][] =>
  Array.from({ length: flat.length / width }, (_, i) => flat.slice(i * width, (i + 1) * width));

function layer(x: Vector, weight: Vector, bias: Vector): number[] {
  return plus(
    rowsOf(weight, x.length).map((row) => dot(row, x)),
    bias,
  );
}

function softmax(x: Vector): number[] {
  const top = Math.max(...x);
  const powers = x.map((value) => Math.exp(value - top));
  const sum = powers.reduce((total, power) => total + power, 0);
  return powers.map((power) => power / sum);
}

function norm(x: Vector, gain: Vector, shift: Vector): number[] {
  const mean = x.reduce((sum, value) => sum + value, 0) / x.length;
  const variance = x.reduce((sum, value) => sum + (value - mean) ** 2, 0) / x.length;
  return x.map((value, i) => ((value - mean) / Math.sqrt(variance + 1e-5)) * (gain[i] ?? 1) + (shift[i] ?? 0));
}

/** Attention of tokens among themselves; `taps(h)` is the kernel over the queries. */
function attend(
  tokens: readonly Vector[],
  name: string,
  at: PlainParameters,
  heads: number,
  nTaps: number,
): number[][] {
  const width = tokens[0]?.length ?? 0;
  const depth = width / heads;
  const all = tokens.map((token) => layer(token, at(`${name}.qkv.weight`), at(`${name}.qkv.bias`)));
  const part = (which: number, head: number): number[][] =>
    all.map((row) => row.slice(which * width + head * depth, which * width + (head + 1) * depth));
  const outputs = tokens.map((): number[] => []);
  for (let head = 0; head < heads; head++) {
    const [queries, keys, values] = [part(0, head), part(1, head), part(2, head)];
    const scores = queries.map((query) => keys.map((key) => dot(query, key) / Math.sqrt(depth)));
    const taps = nTaps === 0 ? [] : at(`${name}.epeg.weight`).slice(head * nTaps, (head + 1) * nTaps);
    const bias = nTaps === 0 ? 0 : (at(`${name}.epeg.bias`)[head] ?? 0);
    scores.forEach((row, i) => {
      const moved = row.map((score, j) =>
        taps.reduce((sum, tap, t) => sum + tap * (scores[i + t - (nTaps - 1) / 2]?.[j] ?? 0), score + bias),
      );
      const weights = softmax(moved);
      for (let c = 0; c < depth; c++)
        outputs[i]?.push(weights.reduce((sum, weight, j) => sum + weight * (values[j]?.[c] ?? 0), 0));
    });
  }
  return outputs.map((output) => layer(output, at(`${name}.proj.weight`), at(`${name}.proj.bias`)));
}

function acrossRegions(
  regions: readonly Region[],
  at: PlainParameters,
  sizes: PlainSizes,
  width: number,
): number[][][] {
  const { nRepresentatives, crossHeads } = sizes;
  const zero = new Array<number>(width).fill(0);
  const phi = rowsOf(at("cross.phi.weight"), nRepresentatives);
  const tokens = regions.map((region) => region.map((tile) => tile ?? zero));
  const logits = tokens.map((region) =>
    region.map((token) =>
      Array.from({ length: nRepresentatives }, (_, k) =>
        dot(
          token,
          phi.map((row) => row[k] ?? 0),
        ),
      ),
    ),
  );
  const column = (g: number, k: number): number[] => (logits[g] ?? []).map((row) => row[k] ?? 0);
  const sent = Array.from({ length: nRepresentatives }, (_, k) => {
    const representatives = tokens.map((region, g) => {
      const combine = softmax(column(g, k));
      return region.reduce(
        (sum: Vector, token, p) =>
          plus(
            sum,
            token.map((x) => x * (combine[p] ?? 0)),
          ),
        zero,
      );
    });
    return attend(representatives, "cross", at, crossHeads, 0);
  });
  return tokens.map((region, g) =>
    region.map((_, p) => {
      const shares = softmax(logits[g]?.[p] ?? []);
      return sent.reduce((sum: number[], rows, k) => {
        const [least, most] = [Math.min(...column(g, k)), Math.max(...column(g, k))];
        const strength = ((column(g, k)[p] ?? 0) - least) / (most - least + 1e-8);
        return plus(
          sum,
          (rows[g] ?? []).map((x) => x * strength * (shares[k] ?? 0)),
        );
      }, zero.slice());
    }),
  );
}

/** Adds the rows of a region to its tiles. */
function addInto(tiles: number[][], region: readonly number[], rows: readonly Vector[]): void {
  for (const [place, tile] of region.entries()) {
    if (tile >= 0) tiles[tile] = plus(tiles[tile] ?? [], rows[place] ?? []);
  }
}

/** Re-embedded tiles of one R-MSA block over `regional` and one CR-MSA block over `cross`. */
export function plainR2t(
  tiles: readonly Vector[],
  at: PlainParameters,
  sizes: PlainSizes,
  { regional, cross }: { readonly regional: Regions; readonly cross: Regions },
): number[][] {
  const width = tiles[0]?.length ?? 0;
  const zero = new Array<number>(width).fill(0);
  const normed = tiles.map((tile) => norm(tile, at("regional.0.norm.weight"), at("regional.0.norm.bias")));
  const attended = tiles.map((tile) => [...tile]);
  for (const region of regional) {
    const rows = attend(
      region.map((i) => normed[i] ?? zero),
      "regional.0",
      at,
      sizes.heads,
      sizes.nTaps,
    );
    addInto(attended, region, rows);
  }
  const again = attended.map((tile) => norm(tile, at("cross.norm.weight"), at("cross.norm.bias")));
  const sent = acrossRegions(
    cross.map((region) => region.map((i) => again[i])),
    at,
    sizes,
    width,
  );
  const result = attended.map((tile) => [...tile]);
  cross.forEach((region, g) => void addInto(result, region, sent[g] ?? []));
  return result.map((tile) => norm(tile, at("norm.weight"), at("norm.bias")));
}

/** Regions of a square of `perSide` × `perSide` of them, `side` tiles along each, in storage order; without padding if told so. */
export function squareRegions(nTiles: number, perSide: number, side: number, hasPadding: boolean): number[][] {
  const square = perSide * side;
  const regions = Array.from({ length: perSide * perSide }, (): number[] => []);
  for (let row = 0; row < square; row++) {
    for (let columnIndex = 0; columnIndex < square; columnIndex++) {
      const tile = row * square + columnIndex;
      const region = regions[Math.floor(row / side) * perSide + Math.floor(columnIndex / side)];
      if (tile < nTiles) region?.push(tile);
      else if (hasPadding) region?.push(-1);
    }
  }
  // Rows of the square visit each region's tiles row by row already; empty regions say nothing.
  return regions.filter((region) => region.length > 0);
}
