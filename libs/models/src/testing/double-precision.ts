/**
 * Runs `work` with tfjs's CPU kernels in f64: they allocate results through the global `Float32Array`, which means
 * `Float64Array` while `work` runs. For oracles only; nothing else may run meanwhile, so `work` is synchronous.
 */
export function inDoublePrecision<T>(work: () => T): T {
  const single = globalThis.Float32Array;
  globalThis.Float32Array = Float64Array as unknown as typeof Float32Array;
  try {
    return work();
  } finally {
    globalThis.Float32Array = single;
  }
}
