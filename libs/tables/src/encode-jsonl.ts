import { assertTable, type Table } from "./table.ts";

/**
 * A table as JSON lines: one object per row with its keys in the order of the columns, `null` for what is missing. The same table
 * gives the same bytes.
 *
 * @throws {DomainError} as {@link assertTable}.
 */
export function encodeJsonl(table: Table): Uint8Array {
  assertTable(table);
  const names = table.columns.map(({ name }) => name);
  const lines = table.rows.map((row) => {
    const members = names.map((name) => `${JSON.stringify(name)}:${JSON.stringify(row[name] ?? null)}`);
    return `{${members.join(",")}}\n`;
  });
  return new TextEncoder().encode(lines.join(""));
}
