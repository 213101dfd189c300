/** D features of one tile in the element type of its bag. */
type Features = Float16Array | Float32Array;

/**
 * Writes the mean of four tiles' features `[D]` into `target`: `(((a + b) + c) + d) / 4` in double precision, rounded once to the
 * element type, to nearest and ties to even. In half precision the sum is exact, so the mean is the correctly rounded one. Finite
 * features give finite means.
 */
export function childMeanInto(target: Features, [a, b, c, d]: readonly [Features, Features, Features, Features]): void {
  for (let k = 0; k < target.length; k++) {
    target[k] = ((a[k] ?? 0) + (b[k] ?? 0) + (c[k] ?? 0) + (d[k] ?? 0)) / 4;
  }
}
