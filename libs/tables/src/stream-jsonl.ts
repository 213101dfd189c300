import { streamText } from "./pieces.ts";
import { checkedRows, type LazyTable } from "./table.ts";

/**
 * A table as JSON lines: one object per row with its keys in the order of the columns, `null` for what is missing. In chunks, made as
 * they are asked for; others have their turn between any two. The same table gives the same bytes.
 *
 * @throws {DomainError} as {@link checkedRows}.
 */
export function streamJsonl(table: LazyTable): AsyncGenerator<Uint8Array<ArrayBuffer>, void, undefined> {
  return streamText(jsonLines(table));
}

function* jsonLines(table: LazyTable): Generator<string, void, undefined> {
  const keys = table.columns.map(({ name }) => [name, JSON.stringify(name)] as const);
  for (const row of checkedRows(table)) {
    yield `{${keys.map(([name, key]) => `${key}:${JSON.stringify(row[name] ?? null)}`).join(",")}}\n`;
  }
}
