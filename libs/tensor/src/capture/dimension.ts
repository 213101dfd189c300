import { DomainError } from "@parfocal/errors";
import type { Dim } from "../graph.ts";

/** A product of symbols times a factor: 512·B·N. */
export interface DimTerm {
  readonly factor: number;
  readonly symbols: readonly string[];
}

/** A dimension as a polynomial: constant + Σ terms. Without terms it is static. */
export interface Dimension {
  readonly constant: number;
  readonly terms: readonly DimTerm[];
}

/** The pair of numbers that stands for a symbol in the two recordings. */
export interface Sentinel {
  readonly symbol: string;
  readonly values: readonly [number, number];
}

/**
 * First values are primes, so that no arithmetic on static dimensions makes one by accident. Distances to the second
 * values are primes too: a result that depends on N only through N mod m (padding to a multiple, parity) differs between
 * the recordings for every m below the distance, and so cannot pass as a constant.
 */
const FIRST_VALUES = [10_007, 12_011, 14_009, 16_033, 18_013, 20_011, 22_003, 24_001];
const DISTANCES = [4_999, 5_987, 6_991, 7_993, 8_999, 9_973, 10_957, 11_971];

/** One sentinel per symbol. @throws {DomainError} INVALID_ARGUMENT when there are more than eight symbols. */
export function createSentinels(symbols: readonly string[]): Sentinel[] {
  return symbols.map((symbol, i) => ({ symbol, ...sentinelAt(i) }));
}

/** The numbers that stand for symbol number `index`. @throws {DomainError} INVALID_ARGUMENT from the ninth symbol on. */
export function sentinelAt(index: number): Omit<Sentinel, "symbol"> {
  const first = FIRST_VALUES[index];
  const distance = DISTANCES[index];
  if (first === undefined || distance === undefined) {
    throw new DomainError(
      "INVALID_ARGUMENT",
      `${index + 1} symbolic dimensions; at most ${FIRST_VALUES.length} are supported`,
    );
  }
  return { values: [first, first + distance] };
}

/** A static dimension. */
function staticDimension(constant: number): Dimension {
  return { constant, terms: [] };
}

/**
 * The dimension that takes `first` in one recording and `second` in the other, or `undefined` when no polynomial of the
 * forms c, k·S + c, k·S·T + c, k·S + l·T + c explains both.
 */
export function dimensionFromPair(
  first: number,
  second: number,
  sentinels: readonly Sentinel[],
): Dimension | undefined {
  if (first === second) return staticDimension(first);
  const symbols = sentinels.map((sentinel) => [sentinel]);
  const products = sentinels.flatMap((a, i) => sentinels.slice(i).map((b) => [a, b]));
  for (const monomial of [...symbols, ...products]) {
    const found = fitMonomial(first, second, monomial);
    if (found !== undefined) return found;
  }
  return fitSum(first, second, sentinels);
}

/** Offsets beyond this are no padding or class token but a coincidence. */
const MAX_OFFSET = 4_096;

function fitMonomial(first: number, second: number, monomial: readonly Sentinel[]): Dimension | undefined {
  const [a, b] = [productAt(monomial, 0), productAt(monomial, 1)];
  const factor = (second - first) / (b - a);
  const constant = first - factor * a;
  if (!Number.isInteger(factor) || Math.abs(constant) > MAX_OFFSET * Math.max(1, Math.abs(factor))) return undefined;
  return { constant, terms: [{ factor, symbols: monomial.map(({ symbol }) => symbol) }] };
}

function productAt(monomial: readonly Sentinel[], recording: 0 | 1): number {
  return monomial.reduce((product, { values }) => product * values[recording], 1);
}

function fitSum(first: number, second: number, sentinels: readonly Sentinel[]): Dimension | undefined {
  for (const [i, a] of sentinels.entries()) {
    for (const b of sentinels.slice(i + 1)) {
      for (let factor = 1; factor <= 8; factor++) {
        const rest = fitMonomial(first - factor * a.values[0], second - factor * a.values[1], [b]);
        if (rest !== undefined)
          return { constant: rest.constant, terms: [{ factor, symbols: [a.symbol] }, ...rest.terms] };
      }
    }
  }
  return undefined;
}

/** A number, or the formula of a symbolic dimension: `N`, `2*N+1`, `B*N`. Equal formulas mean equal dimensions. */
export function formatDimension({ constant, terms }: Dimension): Dim {
  if (terms.length === 0) return constant;
  const products = terms.map(({ factor, symbols }) => [...(factor === 1 ? [] : [factor]), ...symbols].join("*"));
  return `${products.join("+")}${constant === 0 ? "" : constant > 0 ? `+${constant}` : constant}`;
}

/** Whether two shapes are the same for every value of their symbols. */
export function isSameShape(a: readonly Dimension[], b: readonly Dimension[]): boolean {
  return a.length === b.length && a.every((dim, i) => isSameDimension(dim, b[i]));
}

/** Whether two dimensions are the same for every value of their symbols. */
export function isSameDimension(a: Dimension | undefined, b: Dimension | undefined): boolean {
  return a !== undefined && b !== undefined && formatDimension(a) === formatDimension(b);
}

/** Whether a dimension is the number `value`. */
export function isStatic(dimension: Dimension | undefined, value: number): boolean {
  return dimension !== undefined && dimension.terms.length === 0 && dimension.constant === value;
}

/** The shape two shapes broadcast to by the rules of ONNX, or `undefined` when that is not certain. */
export function broadcastShapes(a: readonly Dimension[], b: readonly Dimension[]): Dimension[] | undefined {
  const rank = Math.max(a.length, b.length);
  const result: Dimension[] = [];
  for (let i = 0; i < rank; i++) {
    const left = a[a.length - rank + i] ?? staticDimension(1);
    const right = b[b.length - rank + i] ?? staticDimension(1);
    if (!isSameDimension(left, right) && !isStatic(left, 1) && !isStatic(right, 1)) return undefined;
    result.push(isStatic(left, 1) ? right : left);
  }
  return result;
}
