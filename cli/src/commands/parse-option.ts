import { InvalidArgumentError, Option } from "commander";

/** Largest count of most: what the contract sends as an `int32`. */
const MAX_COUNT = 2 ** 31 - 1;

function numberWithin(text: string, isRight: (value: number) => boolean, expected: string): number {
  const value = Number(text);
  if (text.trim() !== "" && Number.isFinite(value) && isRight(value)) return value;
  throw new InvalidArgumentError(`It is ${expected}.`);
}

/** A number above 0. */
export function parsePositive(text: string): number {
  return numberWithin(text, (value) => value > 0, "a number above 0");
}

/** A number of 0 or more. */
export function parseNonNegative(text: string): number {
  return numberWithin(text, (value) => value >= 0, "a number of 0 or more");
}

/** A whole number from 1 to 2^31 - 1. */
export function parseCount(text: string): number {
  return countUpTo(MAX_COUNT, text);
}

/** A whole number from 1 to 2^53 - 1, for what may be counted beyond {@link parseCount}. */
export function parseLongCount(text: string): number {
  return countUpTo(Number.MAX_SAFE_INTEGER, text);
}

function countUpTo(max: number, text: string): number {
  return numberWithin(text, (value) => isCount(value, max), `a whole number from 1 to ${max}`);
}

function isCount(value: number, max: number): boolean {
  return Number.isInteger(value) && value >= 1 && value <= max;
}

/** A share, 0 to below 1. */
export function parseShare(text: string): number {
  return numberWithin(text, (value) => value >= 0 && value < 1, "a number from 0 to below 1");
}

/** A port, 0 for any free one. */
export function parsePort(text: string): number {
  return numberWithin(text, (value) => Number.isInteger(value) && value >= 0 && value <= 65_535, "a port, 0 to 65535");
}

/** An unsigned 64-bit seed. */
export function parseSeed(text: string): bigint {
  if (/^\d{1,20}$/.test(text) && BigInt(text) < 1n << 64n) return BigInt(text);
  throw new InvalidArgumentError("It is a whole number from 0 to below 2^64.");
}

/** `--seed` with a default, which commander cannot print by itself: JSON has no 64-bit integers. */
export function seedOption(description: string, fallback: bigint): Option {
  return new Option("--seed <n>", description).argParser(parseSeed).default(fallback, String(fallback));
}

/** The text of widths with commas between them, or `none`. */
export function parseWidths(text: string): string {
  if (text === "none" || text.split(",").every((width) => isCount(Number(width), MAX_COUNT))) return text;
  throw new InvalidArgumentError(`It is whole numbers from 1 to ${MAX_COUNT} with commas between them, or none.`);
}

/** Names between commas, none empty. */
export function parseNames(text: string): string[] {
  const names = text.split(",").map((name) => name.trim());
  if (names.every((name) => name !== "")) return names;
  throw new InvalidArgumentError("It is names with commas between them.");
}

/** Numbers of magnifications between commas, ascending, 0 for the coarsest. */
export function parseLevels(text: string): number[] {
  const levels = text.split(",").map((part) => (/^\s*\d\s*$/.test(part) ? Number(part) : Number.NaN));
  if (levels.every((level, at) => (at === 0 ? level >= 0 : level > (levels[at - 1] ?? 0)))) return levels;
  throw new InvalidArgumentError("It is ascending numbers from 0 with commas between them.");
}

/** Collects the values of an option that may be given several times. */
export function collect(text: string, before: readonly string[] | undefined): string[] {
  return [...(before ?? []), text];
}

/** Width and height in pixels, e.g. `98304x75264`. */
export function parseSize(text: string): [number, number] {
  const [, width, height] = /^([1-9]\d{0,8})[x×]([1-9]\d{0,8})$/.exec(text) ?? [];
  if (width !== undefined && height !== undefined) return [Number(width), Number(height)];
  throw new InvalidArgumentError("It is width and height in level-0 pixels, e.g. 98304x75264.");
}

/** A share above 0, up to 1. */
export function parseAlpha(text: string): number {
  return numberWithin(text, (value) => value > 0 && value <= 1, "a number above 0, up to 1");
}
