import { DomainError } from "@parfocal/errors";
import type { Bag } from "./bag.ts";

// A float is NaN or infinite exactly when all its exponent bits are ones, i.e. when `~word & EXPONENT` is zero. Adding
// EXPONENT to that sets the bit above the field unless it was zero, so an AND over many words tells at the end whether
// one of them was bad: no branch per element, two half words at a time.
const F32_EXPONENT = 0x7f800000;
const F32_CARRY = 0x80000000 | 0;
const F16_EXPONENT = 0x7c007c00;
const F16_CARRY = 0x80008000 | 0;

/** Words per block: the scan stops at the first bad block, so this only bounds wasted work. */
const BLOCK_WORDS = 16_384;

/** Whether every value is finite. Cost: one pass at memory speed. */
export function isAllFinite(features: Bag["features"]): boolean {
  const { data, dtype } = features;
  if (dtype === "F32") return wordsFinite(int32View(data, data.length), F32_EXPONENT, F32_CARRY);
  if (data.byteOffset % 4 !== 0) return !data.some((word) => !isFiniteHalf(word));
  const pairs = int32View(data, data.length >> 1);
  const tail = data.length % 2 === 1 ? data[data.length - 1] : undefined;
  return wordsFinite(pairs, F16_EXPONENT, F16_CARRY) && (tail === undefined || isFiniteHalf(tail));
}

/**
 * Checks that `[N, D]` features hold neither NaN nor infinity.
 *
 * @throws {DomainError} NON_FINITE with the count of each and the row and column of the first.
 */
export function assertAllFinite(features: Bag["features"], d: number): void {
  if (isAllFinite(features)) return;
  const { nNan, nInfinite, first } = countNonFinite(features);
  const place = `row ${Math.floor(first / d)}, column ${first % d}`;
  throw new DomainError(
    "NON_FINITE",
    `features hold ${nNan} NaN and ${nInfinite} infinite values, the first at ${place}`,
    {
      details: { nan: `${nNan}`, infinite: `${nInfinite}`, row: `${Math.floor(first / d)}`, column: `${first % d}` },
    },
  );
}

function countNonFinite(features: Bag["features"]): { nNan: number; nInfinite: number; first: number } {
  const isBad = features.dtype === "F16" ? (word: number) => !isFiniteHalf(word) : (x: number) => !Number.isFinite(x);
  const isNan = features.dtype === "F16" ? (word: number) => (word & 0x3ff) !== 0 : (x: number) => Number.isNaN(x);
  let [nNan, nInfinite, first] = [0, 0, -1];
  for (const [index, value] of features.data.entries()) {
    if (!isBad(value)) continue;
    if (first < 0) first = index;
    if (isNan(value)) nNan += 1;
    else nInfinite += 1;
  }
  return { nNan, nInfinite, first };
}

function wordsFinite(words: Int32Array, exponent: number, carry: number): boolean {
  for (let start = 0; start < words.length; start += BLOCK_WORDS) {
    const end = Math.min(start + BLOCK_WORDS, words.length);
    let all = carry;
    for (let index = start; index < end; index += 1) all &= ((~(words[index] as number) & exponent) + exponent) | 0;
    if (all !== carry) return false;
  }
  return true;
}

function int32View(data: Float32Array | Uint16Array, nWords: number): Int32Array {
  return new Int32Array(data.buffer, data.byteOffset, nWords);
}

function isFiniteHalf(word: number): boolean {
  return (word & 0x7c00) !== 0x7c00;
}
