import { DomainError } from "@parfocal/errors";
import type { SafetensorsTensor } from "../safetensors/parse-safetensors.ts";
import { float64FromTensor, squeezeLeading } from "./tensor-values.ts";

/**
 * Coordinates of a bag from an array `[N, 2]` or `[1, N, 2]`, multiplied by `scale` (pixels per unit).
 *
 * With `scale` 1 every value must be a whole number of pixels; else results are rounded to the nearest pixel.
 *
 * @throws {DomainError} SHAPE_MISMATCH when the shape is not that of `n` tiles; NON_FINITE for NaN and infinity;
 * GEOMETRY_MISMATCH when a value is no whole pixel or beyond 32 bits.
 */
export function coordsFromTensor(tensor: SafetensorsTensor, n: number, scale: number | undefined): Int32Array {
  const { shape } = squeezeLeading(tensor, 2);
  if (shape.length !== 2 || shape[0] !== n || shape[1] !== 2) {
    throw new DomainError("SHAPE_MISMATCH", `coords are [${shape.join(", ")}], the features ask for [${n}, 2]`);
  }
  const values = float64FromTensor(tensor);
  const coords = new Int32Array(values.length);
  for (const [index, value] of values.entries()) coords[index] = pixelFrom(value, scale, index);
  return coords;
}

function pixelFrom(value: number, scale: number | undefined, index: number): number {
  const place = `row ${index >> 1}, column ${index & 1}`;
  if (!Number.isFinite(value)) throw new DomainError("NON_FINITE", `coords hold ${value} at ${place}`);
  const pixel = scale === undefined ? value : Math.round(value * scale);
  if (!Number.isInteger(pixel)) {
    throw new DomainError("GEOMETRY_MISMATCH", `coords hold ${value} at ${place}: pixels must be whole numbers`);
  }
  if (pixel !== (pixel | 0)) {
    throw new DomainError("GEOMETRY_MISMATCH", `coords hold ${pixel} px at ${place}, beyond 32-bit integers`);
  }
  return pixel;
}
