import { parse } from "yaml";
import { UsageError } from "../exit-codes.ts";
import { camelCase, snakeCase } from "./field-names.ts";
import type { ValuePath } from "./problem.ts";
import { plainValue } from "./read-document.ts";
import { isValueGroup, type ValueGroup } from "./value-group.ts";

/** A value given on the command line. */
export interface Override {
  /** As it was written: `recipe.epochs=3`. */
  readonly text: string;
  readonly path: readonly string[];
  /** Undefined: the value is taken out. */
  readonly value: unknown;
}

/**
 * Reads `path=value`: names between dots in any usual spelling, the value as YAML (`0.5`, `[512, 256]`, `clam-sb`); nothing behind
 * the equals sign takes the file's value out.
 *
 * @throws {UsageError} for text that is none.
 */
export function parseOverride(text: string): Override {
  const [, name = "", rest = ""] = /^([A-Za-z][\w.-]*)=(.*)$/su.exec(text) ?? [];
  const path = name.split(".").map((part) => snakeCase(camelCase(part)));
  if (name === "" || path.includes("")) throw new UsageError(`override "${text}" is not name=value`);
  try {
    return { text, path, value: plainValue(parse(rest, { intAsBigInt: true, maxAliasCount: 0 })) };
  } catch {
    throw new UsageError(`override "${text}": its value is no YAML; put it in quotes`);
  }
}

/**
 * The file's values with overrides, one after the other. A `kind` that changes makes its group anew: values of one kind mean
 * something else, or nothing, to another.
 */
export function applyOverrides(values: unknown, overrides: readonly Override[]): unknown {
  const changed = structuredClone(values);
  for (const { path, value, text } of overrides) {
    if (!isValueGroup(changed)) throw new UsageError(`override "${text}": the file is no group of named values`);
    write(changed, path, value, text);
  }
  return changed;
}

/** The last override that set the value at `path`, or a group around it, or a value below it. */
export function overrideOf(path: ValuePath, overrides: readonly Override[]): Override | undefined {
  return overrides.findLast(
    (override) =>
      override.value !== undefined && override.path.every((part, i) => i >= path.length || path[i] === part),
  );
}

function write(values: ValueGroup, [name = "", ...rest]: readonly string[], value: unknown, text: string): void {
  if (rest.length > 0) {
    const inner = values[name] ?? {};
    if (!isValueGroup(inner)) throw new UsageError(`override "${text}": ${name} is no group of values`);
    write(inner, rest, value, text);
    values[name] = inner;
    return;
  }
  if (value === undefined) delete values[name];
  else if (name === "kind" && values.kind !== value) {
    for (const other of Object.keys(values)) delete values[other];
    values.kind = value;
  } else values[name] = value;
}
