import { DomainError } from "@parfocal/errors";
import type { Bag } from "./bag.ts";
import { assertBagShape } from "./bag-limits.ts";
import { encodeBagMetadata } from "./bag-metadata.ts";
import { assertAllFinite } from "./finite-scan.ts";
import { encodeSafetensors, encodeSafetensorsParts, type SafetensorsInput } from "./safetensors/encode-safetensors.ts";

/**
 * Encodes a bag as its canonical file. Deterministic: equal bags give equal bytes on every machine.
 *
 * @throws {DomainError} As {@link assertBag}.
 */
export function encodeBag(bag: Bag): Uint8Array {
  return encodeSafetensors(bagTensors(bag), encodeBagMetadata(bag.metadata));
}

/**
 * The same bytes as {@link encodeBag} in pieces, tensors as views of the bag: nothing is copied.
 *
 * @throws {DomainError} As {@link assertBag}.
 */
export function encodeBagParts(bag: Bag): readonly Uint8Array[] {
  return encodeSafetensorsParts(bagTensors(bag), encodeBagMetadata(bag.metadata));
}

/**
 * Checks that a bag is one: 1 to 1 000 000 tiles, 1 to 65 536 features, all finite, every array as long as it says.
 *
 * @throws {DomainError} EMPTY_BAG, SHAPE_MISMATCH or NON_FINITE with the value and the bound.
 */
export function assertBag(bag: Bag): void {
  assertBagShape(bag.n, bag.d, bag.features.dtype === "F16" ? 2 : 4);
  assertLength("features", bag.features.data.length, bag.n * bag.d, `[${bag.n}, ${bag.d}]`);
  if (bag.coords !== undefined) assertLength("coords", bag.coords.length, bag.n * 2, `[${bag.n}, 2]`);
  if (bag.level !== undefined) assertLength("level", bag.level.length, bag.n, `[${bag.n}]`);
  assertAllFinite(bag.features, bag.d);
}

function assertLength(name: string, actual: number, wanted: number, shape: string): void {
  if (actual === wanted) return;
  throw new DomainError("SHAPE_MISMATCH", `${name} ${shape} needs ${wanted} values, got ${actual}`);
}

function bagTensors(bag: Bag): ReadonlyMap<string, SafetensorsInput> {
  assertBag(bag);
  const { n, d, features, coords, level } = bag;
  const tensors = new Map<string, SafetensorsInput>();
  tensors.set("features", { dtype: features.dtype, shape: [n, d], data: features.data });
  if (coords !== undefined) tensors.set("coords", { dtype: "I32", shape: [n, 2], data: coords });
  if (level !== undefined) tensors.set("level", { dtype: "U8", shape: [n], data: level });
  return tensors;
}
