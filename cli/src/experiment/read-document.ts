import { type Document, isMap, isNode, isPair, LineCounter, type Node, parseDocument } from "yaml";
import { ExperimentError, type Problem, type ValuePath } from "./problem.ts";

/** A YAML file as plain values, with the places they came from. */
export interface ReadDocument {
  readonly value: unknown;
  /** Where the value at `path` stands; of one that is missing, the group that should have it. */
  placeOf(path: ValuePath): { readonly line: number; readonly column: number };
  /** Where the name of the value at `path` stands. */
  placeOfName(path: ValuePath): { readonly line: number; readonly column: number };
}

/** Largest file: experiments are pages, not books. */
const MAX_BYTES = 1 << 20;

/** A file may repeat a value by its anchor so often; more is a bomb. */
const MAX_ALIASES = 100;

/**
 * Reads YAML 1.2. Whole numbers beyond 2^53 come as their digits; values of nothing (`head:`) are left out.
 *
 * @throws {ExperimentError} with every mistake of the syntax, names that are given twice among them.
 */
export function readDocument(text: string, file: string): ReadDocument {
  if (text.length > MAX_BYTES) {
    throw new ExperimentError(file, [{ message: `it has ${text.length} characters; it may have ${MAX_BYTES}` }]);
  }
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, intAsBigInt: true, prettyErrors: false });
  if (document.errors.length > 0)
    throw new ExperimentError(
      file,
      document.errors.map((error) => syntaxOf(error, lines)),
    );
  const at = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return { line, column: col };
  };
  return {
    value: plainExperiment(toValue(document, file)) ?? {},
    placeOf: (path) => at(offsetOf(document, path)),
    placeOfName: (path) => at(nameOffsetOf(document, path) ?? offsetOf(document, path)),
  };
}

function syntaxOf(error: { readonly message: string; readonly pos: [number, number] }, lines: LineCounter): Problem {
  const { line, col } = lines.linePos(error.pos[0]);
  return { message: error.message, line, column: col };
}

function toValue(document: Document, file: string): unknown {
  try {
    return document.toJS({ maxAliasCount: MAX_ALIASES }) as unknown;
  } catch (error) {
    throw new ExperimentError(file, [{ message: error instanceof Error ? error.message : String(error) }]);
  }
}

/** In a variant nothing says something: that the experiment's value is taken out. */
function plainExperiment(value: unknown): unknown {
  const plain = plainValue(value);
  const { variants } = (value ?? {}) as { readonly variants?: unknown };
  return Array.isArray(variants) ? { ...(plain as object), variants: plainValue(variants, null) } : plain;
}

/** Without what is nothing, or with `nothing` in its place; with numbers as numbers where they are exact. */
export function plainValue(value: unknown, nothing: null | undefined = undefined): unknown {
  if (value === null) return nothing;
  if (typeof value === "bigint") return Number.isSafeInteger(Number(value)) ? Number(value) : value.toString();
  if (Array.isArray(value)) return value.map((inner) => plainValue(inner, nothing));
  if (typeof value !== "object") return value;
  const entries = Object.entries(value as object).map(([key, inner]) => [key, plainValue(inner, nothing)] as const);
  return Object.fromEntries(entries.filter(([, inner]) => inner !== undefined));
}

function offsetOf(document: Document, path: ValuePath): number {
  for (let length = path.length; length > 0; length--) {
    const node: unknown = document.getIn(path.slice(0, length), true);
    // A group that lacks a value is pointed at by its name: its first line may be far below.
    if (length < path.length) return nameOffsetOf(document, path.slice(0, length)) ?? startOf(node) ?? 0;
    const start = startOf(node);
    if (start !== undefined) return start;
  }
  return startOf(document.contents) ?? 0;
}

function nameOffsetOf(document: Document, path: ValuePath): number | undefined {
  const parent: unknown = path.length === 1 ? document.contents : document.getIn(path.slice(0, -1), true);
  if (!isMap(parent)) return undefined;
  const pair = parent.items.find((item) => isPair(item) && isNode(item.key) && nameOf(item.key) === path.at(-1));
  return startOf(pair?.key);
}

function nameOf(key: Node): string {
  return String((key as { readonly value?: unknown }).value);
}

function startOf(node: unknown): number | undefined {
  return isNode(node) ? node.range?.[0] : undefined;
}
