/**
 * The configuration of a model as rows of name and value, groups joined by dots: `reembed.heads`, `8`. Models from before the
 * contract had it give none.
 */
export function modelConfigRows(configJson: string): string[][] {
  return configJson === "" ? [] : rowsOf(JSON.parse(configJson) as unknown, "");
}

function rowsOf(value: unknown, path: string): string[][] {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return [[path, textOf(value)]];
  return Object.entries(value).flatMap(([key, inner]) => rowsOf(inner, path === "" ? key : `${path}.${key}`));
}

function textOf(value: unknown): string {
  if (!Array.isArray(value)) return String(value);
  return value.length === 0 ? "none" : value.join(", ");
}
