import { DomainError, isDomainError } from "@parfocal/errors";
import type { Json } from "./workflow.ts";

/** Deeper values are refused: a cycle would otherwise end as a stack overflow without a place. */
const MAX_DEPTH = 100;

/**
 * The one text of a JSON value: keys in code-unit order, no spaces. Equal values give equal texts.
 *
 * @param what Names the value in the error, e.g. `the input`.
 * @throws {DomainError} `INVALID_ARGUMENT` naming the place of a value that JSON cannot carry (undefined, NaN, a
 *   function, a class instance, nesting beyond 100 levels).
 */
export function canonicalJson(value: unknown, what: string): string {
  return encode(value, what, "$", 0);
}

/**
 * What a journal would give back for `value`.
 *
 * @throws {DomainError} `INTERNAL`, else as {@link canonicalJson}: a workflow that returns such a value has a defect.
 */
export function jsonCopy(value: unknown, what: string): Json {
  try {
    return JSON.parse(canonicalJson(value, what)) as Json;
  } catch (error) {
    if (!isDomainError(error)) throw error;
    throw new DomainError("INTERNAL", error.message);
  }
}

function encode(value: unknown, what: string, path: string, depth: number): string {
  if (depth > MAX_DEPTH) throw refusal(what, `more than ${MAX_DEPTH} levels`, path.slice(0, 60));
  if (value === null || typeof value === "boolean" || typeof value === "string") return JSON.stringify(value);
  if (typeof value === "number") {
    if (!Number.isFinite(value)) throw refusal(what, String(value), path);
    return JSON.stringify(value);
  }
  if (Array.isArray(value)) {
    const items = value.map((item, i) => encode(item, what, `${path}[${i}]`, depth + 1));
    return `[${items.join(",")}]`;
  }
  if (!isPlainObject(value)) throw refusal(what, describe(value), path);
  const fields = Object.keys(value)
    .sort()
    .map((key) => `${JSON.stringify(key)}:${encode(value[key], what, `${path}.${key}`, depth + 1)}`);
  return `{${fields.join(",")}}`;
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

function describe(value: unknown): string {
  return typeof value === "object" && value !== null
    ? `a ${value.constructor.name}`
    : `a value of type ${typeof value}`;
}

function refusal(what: string, found: string, path: string): DomainError {
  return new DomainError("INVALID_ARGUMENT", `${what} holds ${found} at ${path}; only JSON values survive a journal`);
}
