import { DomainError } from "@parfocal/errors";

/** JSON as configurations carry it. */
export type ConfigValue = null | boolean | number | string | readonly ConfigValue[] | ConfigObject;

/** A JSON object as configurations carry it. */
export interface ConfigObject {
  readonly [key: string]: ConfigValue;
}

/** Bounds of a number, both inclusive. */
export interface NumberBounds {
  readonly min: number;
  readonly max: number;
  /** Whether only whole numbers are accepted. */
  readonly isInteger?: boolean;
  /** Taken when the field is absent; without it the field is required. */
  readonly fallback?: number;
}

/** Reads one JSON object field by field and remembers which fields were asked for. */
export interface ConfigReader {
  /** The field as a number within its bounds. */
  number(name: string, bounds: NumberBounds): number;
  /** The field as a list of whole numbers within the bounds, at most `maxItems` of them. */
  integers(name: string, bounds: NumberBounds & { readonly maxItems: number }, fallback?: readonly number[]): number[];
  /** The field as a list of numbers within the bounds, at most `maxItems` of them. */
  numbers(name: string, bounds: NumberBounds & { readonly maxItems: number }): number[];
  /** The field as a list of JSON objects. */
  objects(name: string): ConfigObject[];
  /** The field as true or false. */
  boolean(name: string, fallback?: boolean): boolean;
  /** The field as one of the given words. */
  choice<const T extends string>(name: string, options: readonly T[], fallback?: T): T;
  /** The field as text or number. */
  scalar(name: string, fallback?: string | number): string | number;
  /** The field as a list of distinct, non-empty strings. */
  names(name: string, bounds: { readonly minItems: number; readonly maxItems: number }): string[];
  /** The field as any JSON object, or `fallback` when it is absent. */
  object(name: string, fallback?: ConfigObject): ConfigObject;
  /** The field as any JSON object; absent and null give nothing. */
  optionalObject(name: string): ConfigObject | undefined;
  /** Refuses fields that nobody asked for. Call it last. */
  assertNoOthers(): void;
}

/**
 * A reader of `json`, whose errors call it `where`.
 *
 * @throws {DomainError} `INVALID_ARGUMENT` here when `json` is no object; from every method when the field is missing,
 * of another type or out of its bounds, naming field, value and bound.
 */
export function createConfigReader(json: unknown, where: string): ConfigReader {
  const source = assertObject(json, where);
  const asked = new Set<string>();
  const take = (name: string): unknown => {
    asked.add(name);
    return Object.hasOwn(source, name) ? source[name] : undefined;
  };
  return {
    number: (name, bounds) => checkNumber(take(name) ?? bounds.fallback, `${where}.${name}`, bounds),
    integers: (name, bounds, fallback) =>
      checkNumbers(take(name) ?? fallback, `${where}.${name}`, { ...bounds, isInteger: true }),
    numbers: (name, bounds) => checkNumbers(take(name), `${where}.${name}`, bounds),
    objects(name) {
      const value = take(name);
      if (!Array.isArray(value)) throw invalid(`${where}.${name}`, value, "a list of JSON objects");
      return value.map((item: unknown, i) => assertObject(item, `${where}.${name}[${i}]`));
    },
    boolean(name, fallback) {
      const value = take(name) ?? fallback;
      if (typeof value === "boolean") return value;
      throw invalid(`${where}.${name}`, value, "true or false");
    },
    choice(name, options, fallback) {
      const value = take(name) ?? fallback;
      const found = options.find((option) => option === value);
      if (found !== undefined) return found;
      throw invalid(`${where}.${name}`, value, `one of ${options.join(", ")}`);
    },
    scalar(name, fallback) {
      const value = take(name) ?? fallback;
      if (typeof value === "string" || typeof value === "number") return value;
      throw invalid(`${where}.${name}`, value, "text or a number");
    },
    names: (name, bounds) => checkNames(take(name), `${where}.${name}`, bounds),
    object: (name, fallback) => assertObject(take(name) ?? fallback, `${where}.${name}`),
    optionalObject(name) {
      const value = take(name) ?? undefined;
      return value === undefined ? undefined : assertObject(value, `${where}.${name}`);
    },
    assertNoOthers() {
      const other = Object.keys(source).find((key) => !asked.has(key));
      if (other === undefined) return;
      const known = [...asked].sort().join(", ");
      throw new DomainError(
        "INVALID_ARGUMENT",
        `${where} has an unknown field ${JSON.stringify(other)}; it has ${known}`,
      );
    },
  };
}

function assertObject(value: unknown, where: string): ConfigObject {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as ConfigObject;
  throw invalid(where, value, "a JSON object");
}

function checkNumber(value: unknown, where: string, bounds: NumberBounds): number {
  const kind = bounds.isInteger ? "a whole number" : "a number";
  const isFit = typeof value === "number" && Number.isFinite(value) && (!bounds.isInteger || Number.isInteger(value));
  if (isFit && value >= bounds.min && value <= bounds.max) return value;
  throw invalid(where, value, `${kind} from ${bounds.min} to ${bounds.max}`);
}

function checkNumbers(value: unknown, where: string, bounds: NumberBounds & { readonly maxItems: number }): number[] {
  if (!Array.isArray(value) || value.length > bounds.maxItems) {
    throw invalid(where, value, `a list of at most ${bounds.maxItems} numbers`);
  }
  return value.map((item: unknown, i) => checkNumber(item, `${where}[${i}]`, bounds));
}

function checkNames(value: unknown, where: string, bounds: { minItems: number; maxItems: number }): string[] {
  const expected = `a list of ${bounds.minItems} to ${bounds.maxItems} distinct non-empty strings`;
  if (!Array.isArray(value) || value.length < bounds.minItems || value.length > bounds.maxItems) {
    throw invalid(where, value, expected);
  }
  const names = value.map((item: unknown) => {
    if (typeof item === "string" && item.length > 0 && item.length <= 200) return item;
    throw invalid(where, item, expected);
  });
  if (new Set(names).size !== names.length) throw invalid(where, names, expected);
  return names;
}

function invalid(where: string, value: unknown, expected: string): DomainError {
  const shown = value === undefined ? "absent" : (JSON.stringify(value) ?? String(value)).slice(0, 80);
  return new DomainError("INVALID_ARGUMENT", `${where} is ${shown}; it must be ${expected}`, {
    details: { field: where },
  });
}
