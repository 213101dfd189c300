/**
 * Depth-wise convolutions over the tiles laid out as a square, added to them: the positional encodings PEG and PPEG. Legend:
 * N tiles, h = ⌈√N⌉, S side of the square, C width.
 */
import {
  deriveSize,
  type IntegerFormula,
  type IntegerMath,
  indexVector,
  placeRows,
  takeRows,
  tf,
} from "@parfocal/tensor";
import type { ForwardContext } from "../model.ts";
import type { ParameterSpec } from "../parameter.ts";

/** What {@link convolveSquare} is made of. */
export interface SquareConvolution {
  /** Kernel sizes, odd; their results add up. */
  readonly kernels: readonly number[];
  /** Whether kernels are columns instead of squares. */
  readonly isColumn: boolean;
  /** S is at least this; what the tiles do not fill is zero. */
  readonly minSide: number;
}

/** Kernel sizes of PPEG behind the first. */
const PYRAMID = [5, 3];
/** The smallest square PPEG works on. */
const PYRAMID_SIDE = 7;

/** PEG (one kernel) or PPEG (a pyramid of three). */
export function squareConvolution(kind: "peg" | "ppeg", kernel: number, isColumn: boolean): SquareConvolution {
  return kind === "peg"
    ? { kernels: [kernel], isColumn, minSide: 1 }
    : { kernels: [kernel, ...PYRAMID], isColumn, minSide: PYRAMID_SIDE };
}

/**
 * Parameters `<name>.<i>.weight` `[C, 1, k, k or 1]` and `<name>.<i>.bias` `[C]`: normal of Xavier's deviation and zeros, or with the
 * scheme `torch` both uniform within one over the root of a kernel's size.
 */
export function squareConvolutionParameters(
  name: string,
  width: number,
  { kernels, isColumn, scheme }: Pick<SquareConvolution, "kernels" | "isColumn"> & { readonly scheme?: "torch" },
): ParameterSpec[] {
  return kernels.flatMap((size, i): ParameterSpec[] => {
    const across = isColumn ? 1 : size;
    const std = Math.sqrt(2 / ((1 + width) * size * across));
    const uniform = { kind: "uniform", bound: 1 / Math.sqrt(size * across) } as const;
    const isTorch = scheme === "torch";
    const common = { isTrainable: true } as const;
    return [
      {
        ...common,
        name: `${name}.${i}.weight`,
        shape: [width, 1, size, across],
        init: isTorch ? uniform : { kind: "normal", std },
        decay: true,
      },
      {
        ...common,
        name: `${name}.${i}.bias`,
        shape: [width],
        init: isTorch ? uniform : { kind: "zeros" },
        decay: false,
      },
    ];
  });
}

/**
 * Tiles `[N, C]` plus the convolutions of their square. Tiles fill it row by row; the first tiles come once more to complete the
 * h × h square, and zeros complete one that is still smaller than `minSide`.
 *
 * Source: PEG of CPVT (arXiv:2102.10882) and PPEG of TransMIL (arXiv:2106.00908), as the public R2T program has them.
 */
export function convolveSquare(
  context: ForwardContext,
  name: string,
  tiles: tf.Tensor2D,
  how: SquareConvolution,
): tf.Tensor2D {
  const [nTiles, width] = tiles.shape;
  const { minSide } = how;
  const side = deriveSize({
    symbol: `side(${minSide})`,
    from: [nTiles],
    formula: (math, [n]) => sideOf(math, n, minSide),
  });
  const own = {
    source: indexVector(side * side, [nTiles], (math, [i, n]) => boundedBy(math, i, n)),
    place: indexVector(nTiles, [], (_math, [i]) => i),
  };
  const image: tf.Tensor4D = tf.reshape(tf.add(placeRows(tiles, own), wrappedRows(tiles, side)), [
    1,
    side,
    side,
    width,
  ]);
  const convolved = convolveImage(context, name, image, how); // [1, S, S, C]
  return takeRows(tf.reshape(convolved, [side * side, width]), own) as tf.Tensor2D;
}

/**
 * An image `[1, S, S, C]` plus its convolutions. They are one: the smaller kernels lie in the middle of the largest, and what is linear
 * adds up.
 */
export function convolveImage(
  context: ForwardContext,
  name: string,
  image: tf.Tensor4D,
  { kernels, isColumn }: Pick<SquareConvolution, "kernels" | "isColumn">,
): tf.Tensor4D {
  const largest = Math.max(...kernels);
  const weights = kernels.map((size, i) => {
    const weight = context.parameter<tf.Tensor4D>(`${name}.${i}.weight`); // [C, 1, k, k]
    if (size === largest) return weight;
    const margin: [number, number] = [(largest - size) / 2, (largest - size) / 2];
    return tf.pad(weight, [[0, 0], [0, 0], margin, isColumn ? [0, 0] : margin]);
  });
  const biases = kernels.map((_, i) => context.parameter(`${name}.${i}.bias`)); // [C]
  const filter = tf.transpose(sumOf(weights), [2, 3, 0, 1]) as tf.Tensor4D; // [k, k, C, 1]
  return tf.add(image, tf.add(tf.depthwiseConv2d(image, filter, 1, "same"), sumOf(biases)));
}

function sumOf(parts: readonly tf.Tensor[]): tf.Tensor {
  return parts.reduce((total, part) => tf.add(total, part));
}

function sideOf<T>(math: IntegerMath<T>, nTiles: T, minSide: number): T {
  const root = math.ceilSqrt(nTiles);
  const least = math.constant(minSide);
  return math.add(root, math.mul(math.less(root, least), math.sub(least, root)));
}

/** `i` below `n`, else `n`. */
function boundedBy<T>(math: IntegerMath<T>, i: T, n: T): T {
  return math.add(n, math.mul(math.less(i, n), math.sub(i, n)));
}

/** The first tiles once more, at the places of the h × h square behind the last tile. */
function wrappedRows(tiles: tf.Tensor2D, side: number): tf.Tensor {
  const nTiles = tiles.shape[0];
  const missing = <T>(math: IntegerMath<T>, n: T): T => {
    const root = math.ceilSqrt(n);
    return math.sub(math.mul(root, root), n);
  };
  const source: IntegerFormula<readonly [number, number]> = <T>(math: IntegerMath<T>, [i, n]: readonly T[]) => {
    const beyond = math.sub(i as T, n as T);
    const isWrapped = math.mul(
      math.less(math.sub(math.constant(-1), beyond), math.constant(0)),
      math.less(beyond, missing(math, n as T)),
    );
    return math.add(n as T, math.mul(isWrapped, math.sub(beyond, n as T)));
  };
  const isRepeated = indexVector(nTiles, [nTiles], (math, [i, n]) => math.less(i, missing(math, n)));
  // Tiles that do not repeat have no second place; they are zero here, and so is what comes back from the place they name.
  const place: IntegerFormula<readonly [number, number]> = <T>(math: IntegerMath<T>, [i, n]: readonly T[]) =>
    math.mul(math.less(i as T, missing(math, n as T)), math.add(i as T, n as T));
  const repeated = tf.mul(tiles, tf.reshape(tf.cast(isRepeated, "float32"), [nTiles, 1]));
  return placeRows(repeated, {
    source: indexVector(side * side, [nTiles], source),
    place: indexVector(nTiles, [nTiles], place),
  });
}
