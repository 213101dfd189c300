/** A tensor `scale * val` by the specifications' filler: `val(k) = ((31 k^2 + 7919 k + 104729 seed + 13) mod 1009) / 1009 - 0.5`. */
export function filler(shape: readonly number[], seed: number, scale = 1): Float32Array<ArrayBuffer> {
  const length = shape.reduce((product, dim) => product * dim, 1);
  return Float32Array.from({ length }, (_, k) => {
    return scale * (((31 * k * k + 7919 * k + 104_729 * seed + 13) % 1009) / 1009 - 0.5);
  });
}
