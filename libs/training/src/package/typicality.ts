/**
 * How a bag compares with the training bags, by mean and spread of its tiles' features. Legend: B training bags, D features.
 *
 * Each bag is a point of 2 D coordinates: the mean of each feature, and the logarithm of its standard deviation over the tiles.
 * A bag's distance is the root mean square of its coordinates' distances from the training bags' middle, each in standard
 * deviations between training bags, shrunk so that features that hardly vary do not rule. Training bags are measured with
 * themselves left out; so the share of them that is nearer is, for a bag like them, uniform.
 *
 * Source: Opgen-Rhein & Strimmer 2007 for the shrinkage of variances; the rank is that of conformal anomaly detection (Laxhammar
 * & Falkman 2010). Differs from a Mahalanobis distance: coordinates are taken as uncorrelated, as B is often below D.
 */
import { quantileSorted } from "@parfocal/metrics";

/** Fewer training bags than this say nothing of what is usual. */
export const MIN_TYPICAL_BAGS = 20;
/** Distances that are kept at most: their quantiles then, to a tenth of a per cent. */
const MAX_DISTANCES = 1001;
/** Share of a feature's usual variance that is added to every variance, so that constant features have a logarithm. */
const FLOOR = 1e-3;

/** Moments of one bag's features over its tiles, both `[D]`. */
export interface BagMoments {
  readonly mean: ArrayLike<number>;
  /** Divided by the number of tiles. */
  readonly variance: ArrayLike<number>;
}

/** What training bags are like. */
export interface Typicality {
  /** `[2 D]`: middle of the coordinates, means first. */
  readonly centers: Float32Array<ArrayBuffer>;
  /** `[2 D]`: their shrunk variances between bags, above 0. */
  readonly variances: Float32Array<ArrayBuffer>;
  /** `[D]`: what is added to a variance before its logarithm. */
  readonly floors: Float32Array<ArrayBuffer>;
  /** Distances of training bags, or their quantiles, ascending. */
  readonly distances: Float32Array<ArrayBuffer>;
}

/** How a bag compares. */
export interface TypicalityVerdict {
  /** As a multiple of the median training bag's. */
  readonly distance: number;
  /** Share of training bags that are nearer, percent. */
  readonly percentile: number;
  /** Which of its coordinates lie further off. */
  readonly furthest: "mean" | "spread";
}

/** What `bags` are like; null for fewer than 20. */
export function fitTypicality(bags: readonly BagMoments[]): Typicality | null {
  const d = bags[0]?.mean.length ?? 0;
  if (bags.length < MIN_TYPICAL_BAGS || d === 0) return null;
  const floors = Float32Array.from({ length: d }, (_, k) => {
    const usual = bags.reduce((sum, { variance }) => sum + (variance[k] ?? 0), 0) / bags.length;
    return Math.max(FLOOR * usual, Number.EPSILON);
  });
  const points = bags.map((bag) => coordinates(bag, floors));
  const { means, variances } = momentsOf(points);
  const shrink = shrinkage(variances, points.length);
  const distances = points.map((point) => rms(leftOut(point, { means, variances, shrink, n: points.length })));
  return {
    centers: Float32Array.from(means),
    variances: Float32Array.from(variances, shrink),
    floors,
    distances: thinned(Float32Array.from(distances).sort()),
  };
}

/** How a bag with these moments compares. */
export function judgeBag({ centers, variances, floors, distances }: Typicality, bag: BagMoments): TypicalityVerdict {
  const squares = coordinates(bag, floors).map((value, k) => (value - (centers[k] ?? 0)) ** 2 / (variances[k] ?? 1));
  const d = floors.length;
  const own = Math.sqrt(meanOf(squares));
  const nNearer = distances.findIndex((distance) => distance >= own);
  const share = (nNearer < 0 ? distances.length : nNearer) / distances.length;
  const isMean = meanOf(squares.subarray(0, d)) >= meanOf(squares.subarray(d));
  return {
    distance: own / Math.max(quantileSorted(distances, 0.5), Number.MIN_VALUE),
    percentile: 100 * share,
    furthest: isMean ? "mean" : "spread",
  };
}

/** `[2 D]`, rounded as the package keeps its middle, so that bags that are all one are no distance apart. */
function coordinates({ mean, variance }: BagMoments, floors: Float32Array): Float64Array {
  const d = floors.length;
  const point = new Float64Array(2 * d);
  for (let k = 0; k < d; k += 1) {
    point[k] = Math.fround(mean[k] ?? 0);
    point[d + k] = Math.fround(Math.log((variance[k] ?? 0) + (floors[k] ?? 0)) / 2);
  }
  return point;
}

/** Means and unbiased variances of each coordinate, in two passes. */
function momentsOf(points: readonly Float64Array[]): {
  readonly means: Float64Array;
  readonly variances: Float64Array;
} {
  const width = points[0]?.length ?? 0;
  const means = new Float64Array(width);
  const variances = new Float64Array(width);
  for (const point of points) for (let k = 0; k < width; k += 1) means[k] = (means[k] ?? 0) + (point[k] ?? 0);
  for (let k = 0; k < width; k += 1) means[k] = Math.fround((means[k] ?? 0) / points.length);
  for (const point of points) {
    for (let k = 0; k < width; k += 1) variances[k] = (variances[k] ?? 0) + ((point[k] ?? 0) - (means[k] ?? 0)) ** 2;
  }
  return { means, variances: variances.map((sum) => sum / (points.length - 1)) };
}

/**
 * The rule that moves a variance towards the median one. The intensity is the variances' own sampling variance, for normal
 * coordinates `2 v^2 / (B - 1)`, over how far they are spread; never less than 1 %, so that a constant coordinate does not
 * divide by 0.
 */
function shrinkage(variances: Float64Array, n: number): (variance: number) => number {
  const target = quantileSorted(variances.slice().sort(), 0.5);
  const noise = variances.reduce((sum, v) => sum + (2 * v * v) / (n - 1), 0);
  const spread = variances.reduce((sum, v) => sum + (v - target) ** 2, 0);
  const intensity = spread === 0 ? 1 : Math.min(1, Math.max(0.01, noise / spread));
  return (variance) => Math.max((1 - intensity) * variance + intensity * target, Number.EPSILON);
}

interface Middle {
  readonly means: Float64Array;
  readonly variances: Float64Array;
  readonly shrink: (variance: number) => number;
  readonly n: number;
}

/** Squared standardised coordinates of a point against the middle of the other n - 1. */
function leftOut(point: Float64Array, { means, variances, shrink, n }: Middle): Float64Array {
  return point.map((value, k) => {
    const off = value - (means[k] ?? 0);
    // Removing a point moves the mean by off / (n - 1), and takes off^2 n / (n - 1) from the sum of squares.
    const others = Math.max(0, ((n - 1) * (variances[k] ?? 0) - (off * off * n) / (n - 1)) / (n - 2));
    return ((off * n) / (n - 1)) ** 2 / shrink(others);
  });
}

function rms(squares: Float64Array): number {
  return Math.sqrt(meanOf(squares));
}

function meanOf(values: Float64Array): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function thinned(sorted: Float32Array<ArrayBuffer>): Float32Array<ArrayBuffer> {
  if (sorted.length <= MAX_DISTANCES) return sorted;
  return Float32Array.from({ length: MAX_DISTANCES }, (_, i) => quantileSorted(sorted, i / (MAX_DISTANCES - 1)));
}
