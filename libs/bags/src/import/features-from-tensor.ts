import { DomainError } from "@parfocal/errors";
import type { Bag } from "../bag.ts";
import { assertBagShape } from "../bag-limits.ts";
import { assertAllFinite, isAllFinite } from "../finite-scan.ts";
import { alignedTo, float32FromTensor, type SafetensorsTensor } from "../safetensors/parse-safetensors.ts";
import { float32FromBfloat16, float64FromTensor, squeezeLeading } from "./tensor-values.ts";

/** Features ready for a bag, with a note when their dtype had to change. */
export interface BagFeatures {
  readonly n: number;
  readonly d: number;
  readonly features: Bag["features"];
  readonly note?: string;
}

/**
 * Features of a bag from an array `[N, D]` or `[1, N, D]`. F16 and F32 stay (views where aligned), BF16 widens exactly,
 * F64 narrows to F32 with a note.
 *
 * @throws {DomainError} EMPTY_BAG when there are no tiles; SHAPE_MISMATCH for other ranks and for sizes beyond the bounds;
 * UNSUPPORTED_FORMAT for integers; NON_FINITE for NaN, infinity and F64 values beyond F32.
 */
export function featuresFromTensor(tensor: SafetensorsTensor): BagFeatures {
  const squeezed = squeezeLeading(tensor, 2);
  const [n, d] = matrixShape(squeezed.shape);
  assertBagShape(n, d, tensor.dtype === "F16" ? 2 : 4);
  const { features, note } = convert(squeezed, d);
  assertAllFinite(features, d);
  return { n, d, features, ...(note !== undefined && { note }) };
}

function matrixShape(shape: readonly number[]): [n: number, d: number] {
  const [n, d] = shape;
  if (n === 0) throw new DomainError("EMPTY_BAG", `features are [${shape.join(", ")}]: the slide has no tiles`);
  if (shape.length === 1) {
    throw new DomainError(
      "SHAPE_MISMATCH",
      `features are [${n}]: this looks like a slide embedding, a bag needs [N, D]`,
    );
  }
  if (shape.length !== 2 || n === undefined || d === undefined) {
    throw new DomainError("SHAPE_MISMATCH", `features are [${shape.join(", ")}], a bag needs [N, D] or [1, N, D]`);
  }
  return [n, d];
}

function convert(tensor: SafetensorsTensor, d: number): { features: Bag["features"]; note?: string } {
  switch (tensor.dtype) {
    case "F16": {
      const data = alignedTo(tensor.data, 2);
      return { features: { dtype: "F16", data: new Uint16Array(data.buffer, data.byteOffset, data.byteLength / 2) } };
    }
    case "F32":
      return { features: { dtype: "F32", data: float32FromTensor(tensor) } };
    case "BF16":
      return {
        features: { dtype: "F32", data: float32FromBfloat16(tensor.data) },
        note: "features widened from BF16 to F32 (exact)",
      };
    case "F64":
      return { features: { dtype: "F32", data: narrow(tensor, d) }, note: "features narrowed from F64 to F32" };
    default:
      throw new DomainError("UNSUPPORTED_FORMAT", `features are ${tensor.dtype}; F16, BF16, F32 or F64 is needed`);
  }
}

function narrow(tensor: SafetensorsTensor, d: number): Float32Array {
  const wide = float64FromTensor(tensor);
  const data = Float32Array.from(wide);
  if (isAllFinite({ dtype: "F32", data })) return data;
  const index = wide.findIndex((value) => Number.isFinite(value) && !Number.isFinite(Math.fround(value)));
  // No such value: what is not finite was so before, and the scan that follows says where.
  if (index < 0) return data;
  const place = `row ${Math.floor(index / d)}, column ${index % d}`;
  throw new DomainError("NON_FINITE", `${wide[index]} at ${place} is beyond the largest F32 (3.4e38)`);
}
