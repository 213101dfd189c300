import { parquetMetadata, parquetReadObjects, parquetSchema } from "hyparquet";
import { describe, expect, it } from "vitest";
import { encodeCsv } from "./encode-csv.ts";
import { encodeParquet } from "./encode-parquet.ts";
import { streamJsonl } from "./stream-jsonl.ts";
import type { Table } from "./table.ts";

const TABLE: Table = {
  columns: [
    { name: "slide", type: "text" },
    { name: "probability_a,b", type: "number" },
    { name: "tiles", type: "integer" },
  ],
  rows: [
    { slide: '=A1 "q"', "probability_a,b": 1 / 3, tiles: 7, ignored: "x" },
    { slide: " s ", "probability_a,b": -1e-9 },
  ],
};
const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

describe("encodeCsv", () => {
  it("quotes what needs it, keeps precision, leaves missing cells empty and disarms formulas", () => {
    expect(textOf(encodeCsv(TABLE))).toBe(
      'slide,"probability_a,b",tiles\r\n"\'=A1 ""q""",0.3333333333333333,7\r\n" s ",-1e-9,\r\n',
    );
    expect(textOf(encodeCsv(TABLE, { isFormulaSafe: false }))).toContain('"=A1 ""q"""');
  });

  it("writes the heading of a table without rows", () => {
    expect(textOf(encodeCsv({ ...TABLE, rows: [] }))).toBe('slide,"probability_a,b",tiles\r\n');
  });
});

describe("streamJsonl", () => {
  it("writes one object per row, keys in the order of the columns", async () => {
    expect(textOf(Buffer.concat(await Array.fromAsync(streamJsonl(TABLE))))).toBe(
      '{"slide":"=A1 \\"q\\"","probability_a,b":0.3333333333333333,"tiles":7}\n' +
        '{"slide":" s ","probability_a,b":-1e-9,"tiles":null}\n',
    );
  });
});

describe("encodeParquet", () => {
  it("has the same schema whatever the rows are", async () => {
    const file = encodeParquet({ ...TABLE, rows: [] }).slice().buffer;
    const schema = parquetSchema(parquetMetadata(file)).children.map(({ element }) => [
      element.name,
      element.type,
      element.repetition_type,
    ]);
    expect(schema).toEqual([
      ["slide", "BYTE_ARRAY", "OPTIONAL"],
      ["probability_a,b", "DOUBLE", "OPTIONAL"],
      ["tiles", "INT64", "OPTIONAL"],
    ]);
    expect(await parquetReadObjects({ file })).toEqual([]);
  });

  it("holds more rows than one group", async () => {
    const rows = Array.from({ length: 3000 }, (_, tiles) => ({ slide: `s${tiles}`, tiles }));
    const read = await parquetReadObjects({ file: encodeParquet({ ...TABLE, rows }).slice().buffer });
    expect(read).toHaveLength(3000);
    expect(read[2999]).toEqual({ slide: "s2999", "probability_a,b": null, tiles: 2999n });
  });
});

describe("a table that is none", () => {
  it.each([
    [{ columns: [], rows: [] }, "INVALID_ARGUMENT", "0 columns have 0 names; each needs its own"],
    [
      { ...TABLE, rows: [{ slide: 5 }] },
      "INVALID_ARGUMENT",
      "row 0 of column slide is a number, the column holds text",
    ],
    [
      { ...TABLE, rows: [{}, { tiles: 0.5 }] },
      "INVALID_ARGUMENT",
      "row 1 of column tiles is a number, the column holds integer",
    ],
    [{ ...TABLE, rows: [{ "probability_a,b": Number.NaN }] }, "NON_FINITE", "row 0 of column probability_a,b is NaN"],
  ] as const)("is refused by every encoding: %#", async (table, code, message) => {
    for (const encode of [encodeCsv, encodeParquet]) {
      expect(() => encode(table)).toThrow(expect.objectContaining({ code, message }));
    }
    await expect(Array.fromAsync(streamJsonl(table))).rejects.toMatchObject({ code, message });
  });
});
