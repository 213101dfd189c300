/**
 * A matrix of `shape` (axes behind the first joined) from standard `normal` numbers, with orthonormal rows, or columns if there are
 * more rows than columns. Row-major f32, computed in f64: Gram-Schmidt, twice, which leaves rounding errors only.
 *
 * Source: Saxe et al. 2014 (arXiv:1312.6120). Differs from programs that use QR with signs fixed by the diagonal in nothing
 * but the generator: both give the uniform distribution on such matrices.
 */
export function orthogonalValues(shape: readonly number[], normal: () => number): Float32Array<ArrayBuffer> {
  const [nRows = 1, ...rest] = shape;
  const nColumns = rest.reduce((product, dim) => product * dim, 1);
  const [nVectors, length] = nRows <= nColumns ? [nRows, nColumns] : [nColumns, nRows];
  const vectors: Float64Array[] = [];
  for (let i = 0; i < nVectors; i++) {
    const vector = Float64Array.from({ length }, normal);
    for (const earlier of [...vectors, ...vectors]) subtractProjection(vector, earlier);
    const norm = Math.sqrt(dot(vector, vector));
    vectors.push(vector.map((value) => value / norm));
  }
  const at = (row: number, column: number) =>
    (nRows <= nColumns ? vectors[row]?.[column] : vectors[column]?.[row]) ?? Number.NaN;
  return Float32Array.from({ length: nRows * nColumns }, (_, k) => at(Math.floor(k / nColumns), k % nColumns));
}

/** Takes off the part of `vector` along the unit vector `direction`, in place. */
function subtractProjection(vector: Float64Array, direction: Float64Array): void {
  const part = dot(vector, direction);
  for (let i = 0; i < vector.length; i++) vector[i] = (vector[i] ?? 0) - part * (direction[i] ?? 0);
}

function dot(a: Float64Array, b: Float64Array): number {
  return a.reduce((sum, value, i) => sum + value * (b[i] ?? 0), 0);
}
