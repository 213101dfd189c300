import { DomainError } from "@parfocal/errors";
import type { Bag } from "./bag.ts";
import { assertBagShape } from "./bag-limits.ts";
import { encodeBagMetadata } from "./bag-metadata.ts";
import { assertAllFinite } from "./finite-scan.ts";
import {
  encodeSafetensors,
  encodeSafetensorsHeader,
  encodeSafetensorsParts,
  type SafetensorsInput,
  type TensorShape,
} from "./safetensors/encode-safetensors.ts";

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

/** A bag's canonical file without its features: what stands before them and after. */
export interface BagFrame {
  readonly before: Uint8Array;
  readonly after: Uint8Array;
}

/**
 * The bytes around the features of a bag, for who has these elsewhere: `before`, `[n, d]` in `dtype`, `after` are the bytes of
 * {@link encodeBag}. Whether the features are finite is for who writes them to check.
 *
 * @throws {DomainError} EMPTY_BAG or SHAPE_MISMATCH as {@link assertBag}.
 */
export function encodeBagFrame(bag: Omit<Bag, "features">, dtype: Bag["features"]["dtype"]): BagFrame {
  assertBagShape(bag.n, bag.d, dtype === "F16" ? 2 : 4);
  assertSides(bag);
  const sides = sideTensors(bag);
  const shapes = new Map<string, TensorShape>([["features", { dtype, shape: [bag.n, bag.d] }], ...sides]);
  const { header, order } = encodeSafetensorsHeader(shapes, encodeBagMetadata(bag.metadata));
  const bytesOf = (name: string): Uint8Array[] => {
    const data = sides.get(name)?.data;
    return data === undefined ? [] : [new Uint8Array(data.buffer, data.byteOffset, data.byteLength)];
  };
  const at = order.indexOf("features");
  return {
    before: Buffer.concat([header, ...order.slice(0, at).flatMap(bytesOf)]),
    after: Buffer.concat(order.slice(at + 1).flatMap(bytesOf)),
  };
}

/**
 * Checks that a bag is one: 1 to 1 000 000 tiles, 1 to 65 536 features, all finite, every array as long as it says.
 *
 * @throws {DomainError} EMPTY_BAG, SHAPE_MISMATCH or NON_FINITE with the value and the bound.
 */
export function assertBag(bag: Bag): void {
  assertBagShape(bag.n, bag.d, bag.features.dtype === "F16" ? 2 : 4);
  assertLength("features", bag.features.data.length, bag.n * bag.d, `[${bag.n}, ${bag.d}]`);
  assertSides(bag);
  assertAllFinite(bag.features, bag.d);
}

function assertSides({ n, coords, level, flags }: Omit<Bag, "features">): void {
  if (coords !== undefined) assertLength("coords", coords.length, n * 2, `[${n}, 2]`);
  if (level !== undefined) assertLength("level", level.length, n, `[${n}]`);
  if (flags !== undefined) assertLength("flags", flags.length, n, `[${n}]`);
}

function assertLength(name: string, actual: number, wanted: number, shape: string): void {
  if (actual === wanted) return;
  throw new DomainError("SHAPE_MISMATCH", `${name} ${shape} needs ${wanted} values, got ${actual}`);
}

function bagTensors(bag: Bag): ReadonlyMap<string, SafetensorsInput> {
  assertBag(bag);
  const { n, d, features } = bag;
  return new Map<string, SafetensorsInput>([
    ["features", { dtype: features.dtype, shape: [n, d], data: features.data }],
    ...sideTensors(bag),
  ]);
}

function sideTensors({ n, coords, level, flags }: Omit<Bag, "features">): ReadonlyMap<string, SafetensorsInput> {
  const tensors = new Map<string, SafetensorsInput>();
  if (coords !== undefined) tensors.set("coords", { dtype: "I32", shape: [n, 2], data: coords });
  if (level !== undefined) tensors.set("level", { dtype: "U8", shape: [n], data: level });
  if (flags !== undefined) tensors.set("flags", { dtype: "U8", shape: [n], data: flags });
  return tensors;
}
