import { DomainError } from "@parfocal/errors";
import type { Bag, BagMetadata } from "./bag.ts";
import { assertBagShape } from "./bag-limits.ts";
import { parseBagMetadata } from "./bag-metadata.ts";
import { assertAllFinite } from "./finite-scan.ts";
import type { SafetensorsHeader, SafetensorsTensorInfo } from "./safetensors/parse-header.ts";
import { parseSafetensorsHeader } from "./safetensors/parse-header.ts";
import { alignedTo, assertFileBytes } from "./safetensors/parse-safetensors.ts";

/** Where the tensors of a canonical bag lie in its file, checked against the bounds of a bag. */
export interface BagLayout {
  readonly n: number;
  readonly d: number;
  /** `[N, D]` row-major. */
  readonly features: SafetensorsTensorInfo & { readonly dtype: "F16" | "F32" };
  /** `[N, 2]` I32. */
  readonly coords?: SafetensorsTensorInfo;
  /** `[N]` U8. */
  readonly level?: SafetensorsTensorInfo;
  /** `[N]` U8. */
  readonly flags?: SafetensorsTensorInfo;
  readonly metadata: BagMetadata;
}

/**
 * Parses a canonical bag and checks it whole: format mark, shapes, bounds, every feature finite. Arrays are views into
 * `bytes` where these are aligned (they are when `bytes` begins its buffer), else copies.
 *
 * @throws {DomainError} TRUNCATED or CORRUPT when the file is damaged; UNSUPPORTED_FORMAT when it is no canonical bag;
 * EMPTY_BAG, SHAPE_MISMATCH or NON_FINITE when its contents are no bag.
 */
export function parseBag(bytes: Uint8Array): Bag {
  const header = parseSafetensorsHeader(bytes);
  assertFileBytes(bytes.length, header.fileBytes);
  const layout = bagLayoutFromHeader(header);
  const features = featuresOf(bytes, layout.features);
  assertAllFinite(features, layout.d);
  return {
    n: layout.n,
    d: layout.d,
    features,
    ...(layout.coords && { coords: coordsOf(bytes, layout.coords) }),
    ...(layout.level && { level: slice(bytes, layout.level) }),
    ...(layout.flags && { flags: slice(bytes, layout.flags) }),
    metadata: layout.metadata,
  };
}

/**
 * What the header of a canonical bag promises, without looking at the data.
 *
 * @throws {DomainError} UNSUPPORTED_FORMAT when it is no canonical bag; CORRUPT when tensors are missing, unknown or of
 * another dtype; EMPTY_BAG or SHAPE_MISMATCH when shapes break the bounds or each other.
 */
export function bagLayoutFromHeader(header: SafetensorsHeader): BagLayout {
  const metadata = parseBagMetadata(header.metadata);
  const { features, coords, level, flags, ...rest } = Object.fromEntries(header.tensors);
  if (Object.keys(rest).length > 0) throw new DomainError("CORRUPT", "the bag holds a tensor that no bag has");
  if (features === undefined) throw new DomainError("CORRUPT", "the bag has no features tensor");
  const { dtype } = features;
  if (dtype !== "F16" && dtype !== "F32") throw new DomainError("CORRUPT", `bag features are ${dtype}, not F16 or F32`);
  const [n, d] = features.shape;
  if (n === undefined || d === undefined || features.shape.length !== 2) {
    throw new DomainError("SHAPE_MISMATCH", `bag features have ${features.shape.length} dimensions, 2 are needed`);
  }
  assertBagShape(n, d, dtype === "F16" ? 2 : 4);
  if (coords) assertTensor("coords", coords, "I32", [n, 2]);
  if (level) assertTensor("level", level, "U8", [n]);
  if (flags) assertTensor("flags", flags, "U8", [n]);
  const sides = { ...(coords && { coords }), ...(level && { level }), ...(flags && { flags }) };
  return { n, d, features: { ...features, dtype }, ...sides, metadata };
}

function assertTensor(name: string, info: SafetensorsTensorInfo, dtype: string, shape: readonly number[]): void {
  if (info.dtype !== dtype) throw new DomainError("CORRUPT", `bag ${name} are ${info.dtype}, not ${dtype}`);
  if (info.shape.length !== shape.length || info.shape.some((size, axis) => size !== shape[axis])) {
    const message = `bag ${name} are [${info.shape.join(", ")}], the features ask for [${shape.join(", ")}]`;
    throw new DomainError("SHAPE_MISMATCH", message);
  }
}

function featuresOf(bytes: Uint8Array, info: BagLayout["features"]): Bag["features"] {
  const { dtype } = info;
  const data = alignedTo(slice(bytes, info), dtype === "F16" ? 2 : 4);
  return dtype === "F16"
    ? { dtype, data: new Uint16Array(data.buffer, data.byteOffset, data.byteLength / 2) }
    : { dtype, data: new Float32Array(data.buffer, data.byteOffset, data.byteLength / 4) };
}

function coordsOf(bytes: Uint8Array, info: SafetensorsTensorInfo): Int32Array {
  const data = alignedTo(slice(bytes, info), 4);
  return new Int32Array(data.buffer, data.byteOffset, data.byteLength / 4);
}

function slice(bytes: Uint8Array, info: SafetensorsTensorInfo): Uint8Array {
  return bytes.subarray(info.offsetBytes, info.offsetBytes + info.lengthBytes);
}
