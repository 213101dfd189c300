import fc from "fast-check";
import { parquetReadObjects } from "hyparquet";
import { describe, expect, it } from "vitest";
import { encodeCsv } from "./encode-csv.ts";
import { encodeParquet } from "./encode-parquet.ts";
import { readRecords } from "./read-records.ts";
import { streamJsonl } from "./stream-jsonl.ts";
import type { Table } from "./table.ts";

const orNull = <T>(values: fc.Arbitrary<T>) => fc.option(values, { nil: null });
const number = fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => (value === 0 ? 0 : value));
const row = fc.record({
  id: fc.string({ minLength: 1, unit: "grapheme" }),
  text: orNull(fc.string({ unit: "grapheme" })),
  number: orNull(number),
  integer: orNull(fc.maxSafeInteger().map((value) => (value === 0 ? 0 : value))),
  boolean: orNull(fc.boolean()),
});
const tables: fc.Arbitrary<Table> = fc.array(row, { maxLength: 40 }).map((rows) => ({
  columns: [
    { name: "id", type: "text" },
    { name: "text", type: "text" },
    { name: "number", type: "number" },
    { name: "integer", type: "integer" },
    { name: "boolean", type: "boolean" },
  ],
  rows,
}));

async function* inPieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield await Promise.resolve(bytes.subarray(at, at + size));
}

describe("encodings of a table", () => {
  it("CSV gives back every cell, however the bytes are cut", async () => {
    await fc.assert(
      fc.asyncProperty(tables, fc.integer({ min: 1, max: 64 }), async (table, size) => {
        const read = await Array.fromAsync(readRecords(inPieces(encodeCsv(table, { isFormulaSafe: false }), size)));
        const texts = table.rows.map((cells) => table.columns.map(({ name }) => String(cells[name] ?? "")));
        expect(read.map(({ values }) => [...values.values()])).toEqual(texts);
      }),
    );
  });

  it("JSON lines give back every cell, however the bytes are cut", async () => {
    await fc.assert(
      fc.asyncProperty(tables, fc.integer({ min: 1, max: 64 }), async (table, size) => {
        const bytes = Buffer.concat(await Array.fromAsync(streamJsonl(table)));
        const lines = new TextDecoder().decode(bytes).split("\n").slice(0, -1);
        expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual(table.rows);
        const read = await Array.fromAsync(readRecords(inPieces(bytes, size)));
        const texts = table.rows.map((cells) => table.columns.map(({ name }) => String(cells[name] ?? "")));
        expect(read.map(({ values }) => [...values.values()])).toEqual(texts);
      }),
    );
  });

  it("Parquet is read back by another program's reader, and is the same bytes each time", async () => {
    await fc.assert(
      fc.asyncProperty(tables, async (table) => {
        const bytes = encodeParquet(table);
        expect(Buffer.compare(bytes, encodeParquet(structuredClone(table) as Table))).toBe(0);
        const rows = await parquetReadObjects({ file: bytes.slice().buffer });
        const wanted = table.rows.map((cells) => ({
          ...cells,
          integer: typeof cells.integer === "number" ? BigInt(cells.integer) : cells.integer,
        }));
        expect(rows).toEqual(wanted);
      }),
    );
  });
});
