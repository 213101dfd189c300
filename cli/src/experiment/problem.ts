import { UsageError } from "../exit-codes.ts";

/** Names and places in lists from the top of the file to a value. */
export type ValuePath = readonly (string | number)[];

/** Something wrong with an experiment. */
export interface Problem {
  readonly message: string;
  /** From 1; absent: not at a place of the file. */
  readonly line?: number;
  readonly column?: number;
}

/** Thrown for an experiment with problems; its message lists them all as `file:line:column: message`. */
export class ExperimentError extends UsageError {
  readonly problems: readonly Problem[];

  constructor(file: string, problems: readonly Problem[]) {
    const sorted = [...problems].sort((a, b) => placeOf(a) - placeOf(b));
    super(sorted.map((problem) => lineOf(file, problem)).join("\n"));
    this.problems = sorted;
  }
}

/** Lines are shorter than this. */
const COLUMNS = 1e6;

function placeOf({ line = Number.POSITIVE_INFINITY, column = 0 }: Problem): number {
  return line * COLUMNS + column;
}

function lineOf(file: string, { message, line, column }: Problem): string {
  return line === undefined ? `${file}: ${message}` : `${file}:${line}:${column ?? 1}: ${message}`;
}

/** A path as people write it: `model.head.trunk.hidden[1]`. */
export function pathText(path: ValuePath): string {
  return path.map((part, i) => (typeof part === "number" ? `[${part}]` : `${i === 0 ? "" : "."}${part}`)).join("");
}

/** The value at a path; undefined where there is none. */
export function valueAt(values: unknown, path: ValuePath): unknown {
  return path.reduce<unknown>((at, part) => (at as Record<string | number, unknown> | undefined)?.[part], values);
}
