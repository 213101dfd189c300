/** A JSON object that values are written into. */
export type MutableJson = Record<string, unknown>;

/** The value at the end of `keys`; undefined when there is none. */
export function readAt(json: unknown, keys: readonly string[]): unknown {
  return keys.reduce<unknown>((at, key) => (at as MutableJson | undefined)?.[key], json);
}

/** Writes the value at the end of `keys`, with the objects on the way; undefined takes it out. */
export function writeAt(json: MutableJson, keys: readonly string[], value: unknown): void {
  const [key = "", ...rest] = keys;
  if (rest.length > 0) {
    const inner = (json[key] ?? {}) as MutableJson;
    writeAt(inner, rest, value);
    json[key] = inner;
  } else if (value === undefined) delete json[key];
  else json[key] = value;
}
