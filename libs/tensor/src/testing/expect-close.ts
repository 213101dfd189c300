import { expect } from "vitest";
import type { ConstantTensor } from "../capture/capture.ts";

/** Expects equal shape and type, and elements that differ by at most `tolerance` × max(1, largest expected magnitude). */
export function expectClose(actual: ConstantTensor, expected: ConstantTensor, tolerance: number): void {
  expect({ dtype: actual.dtype, shape: [...actual.shape] }).toEqual({
    dtype: expected.dtype,
    shape: [...expected.shape],
  });
  const scale = [...expected.data].reduce(
    (largest, x) => (Number.isFinite(x) ? Math.max(largest, Math.abs(x)) : largest),
    1,
  );
  const wrong = [...actual.data].flatMap((x, i) =>
    isClose(x, expected.data[i], tolerance * scale) ? [] : [[i, x, expected.data[i]]],
  );
  expect(wrong.slice(0, 4), "elements [index, actual, expected] beyond the tolerance").toEqual([]);
}

function isClose(actual: number, expected: number | undefined, bound: number): boolean {
  return Object.is(actual, expected) || actual === expected || Math.abs(actual - (expected ?? Number.NaN)) <= bound;
}
