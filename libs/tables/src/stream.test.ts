import { setImmediate as nextTurn } from "node:timers/promises";
import { parquetMetadata, parquetReadObjects } from "hyparquet";
import { parquetWriteBuffer } from "hyparquet-writer";
import { describe, expect, it } from "vitest";
import { encodeCsv, streamCsv } from "./encode-csv.ts";
import { encodeParquet, streamParquet } from "./encode-parquet.ts";
import { streamJsonl } from "./stream-jsonl.ts";
import type { Column, LazyTable, Row } from "./table.ts";

const COLUMNS: readonly Column[] = [
  { name: "slide", type: "text" },
  { name: "note, if any", type: "text" },
  { name: "score", type: "number" },
  { name: "tiles", type: "integer" },
  { name: "is_unlike", type: "boolean" },
];

/** A table whose rows nobody keeps. */
function lazy(nRows: number, columns = COLUMNS): LazyTable & { readonly rows: Iterable<Row> } {
  function* rows(): Generator<Row> {
    for (let i = 0; i < nRows; i++) {
      const note = ["-1 \u00fc", 'a "b"\r\n', null, "\u{1F52C}".repeat(i % 50), ""][i % 5];
      const unlike = i % 11 === 0 ? null : i % 2 === 0;
      yield {
        slide: `s${i}`,
        "note, if any": note,
        score: i % 7 === 0 ? undefined : i / 3,
        tiles: i,
        is_unlike: unlike,
      };
    }
  }
  return { columns, rows: { [Symbol.iterator]: rows } };
}

const STREAMS = { csv: (table: LazyTable) => streamCsv(table), jsonl: streamJsonl, parquet: streamParquet };
const inWhole = async (chunks: AsyncIterable<Uint8Array>) => Buffer.concat(await Array.fromAsync(chunks));
const exactBuffer = (bytes: Uint8Array) => new Uint8Array(bytes).buffer;

/** The turns of the event loop that others have while `work` goes on. */
async function turnsDuring(work: Promise<unknown>): Promise<number> {
  let nTurns = 0;
  let isDone = false;
  const done = work.finally(() => {
    isDone = true;
  });
  for (; !isDone; nTurns++) await nextTurn();
  await done;
  return nTurns;
}

/** The table as encoders that had all of it in memory wrote it. */
const AT_ONCE = {
  csv({ columns, rows }: LazyTable): string {
    const cell = (value: Row[string]) => {
      if (typeof value !== "string") return String(value ?? "");
      const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
      return /[",\r\n]/.test(text) || text !== text.trim() ? `"${text.replaceAll('"', '""')}"` : text;
    };
    const names = columns.map(({ name }) => name);
    const lines = [names, ...Array.from(rows, (row) => names.map((name) => row[name]))];
    return lines.map((cells) => `${cells.map(cell).join(",")}\r\n`).join("");
  },
  jsonl({ columns, rows }: LazyTable): string {
    const whole = (row: Row) => Object.fromEntries(columns.map(({ name }) => [name, row[name] ?? null]));
    return Array.from(rows, (row) => `${JSON.stringify(whole(row))}\n`).join("");
  },
  parquet({ columns, rows }: LazyTable): Uint8Array {
    const types = { text: "STRING", number: "DOUBLE", integer: "INT64", boolean: "BOOLEAN" } as const;
    const columnData = columns.map(({ name, type }) => {
      const data = Array.from(rows, (row) => row[name] ?? null);
      const cells = type === "integer" ? data.map((cell) => (cell === null ? null : BigInt(cell))) : data;
      return { name, data: cells, type: types[type], nullable: true };
    });
    return new Uint8Array(parquetWriteBuffer({ columnData, createdBy: "parfocal", rowGroupSize: [1000, 16_384] }));
  },
};

describe.each(["csv", "jsonl", "parquet"] as const)("a stream of %s", (ending) => {
  it.each([0, 1, 1000, 1001, 20_000])("has the bytes of the table at once, %i rows", async (nRows) => {
    const table = lazy(nRows);
    const bytes = await inWhole(STREAMS[ending](table));
    expect(bytes.equals(Buffer.from(AT_ONCE[ending](table)))).toBe(true);
    expect(bytes.equals(await inWhole(STREAMS[ending](table)))).toBe(true);
  });

  it("comes in chunks, between which others have their turn", async () => {
    let [nBytes, longest, nChunks] = [0, 0, 0];
    const work = async () => {
      for await (const { length } of STREAMS[ending](lazy(60_000))) {
        [nBytes, longest, nChunks] = [nBytes + length, Math.max(longest, length), nChunks + 1];
      }
    };
    const nTurns = await turnsDuring(work());
    expect(nTurns).toBeGreaterThanOrEqual(nChunks);
    expect(nChunks).toBeGreaterThan(10);
    expect(longest).toBeLessThan(nBytes / 2);
  });

  it("makes rows as they are asked for, and stops when nobody asks", async () => {
    let nMade = 0;
    let isClosed = false;
    function* rows(): Generator<Row> {
      try {
        for (const row of lazy(50_000).rows) {
          nMade += 1;
          yield row;
        }
      } finally {
        isClosed = true;
      }
    }
    for await (const chunk of STREAMS[ending]({ columns: COLUMNS, rows: rows() })) {
      expect(chunk.length).toBeGreaterThan(0);
      break;
    }
    expect(nMade).toBeLessThan(5000);
    expect(isClosed).toBe(true);
  });

  it("fails at the row that is none", async () => {
    function* rows(): Generator<Row> {
      yield* lazy(15_000).rows;
      yield { score: Number.NaN };
    }
    await expect(inWhole(STREAMS[ending]({ columns: COLUMNS, rows: rows() }))).rejects.toMatchObject({
      code: "NON_FINITE",
      message: "row 15000 of column score is NaN",
    });
  });
});

describe("a table whose rows take long to make", () => {
  it("leaves others their turn after each", async () => {
    const MS = 25;
    function* rows(): Generator<Row> {
      for (let tiles = 0; tiles < 8; tiles++) {
        for (const begun = performance.now(); performance.now() - begun < MS; );
        yield { tiles };
      }
    }
    for (const stream of Object.values(STREAMS)) {
      const work = inWhole(stream({ columns: COLUMNS, rows: rows() }));
      expect(await turnsDuring(work)).toBeGreaterThanOrEqual(8);
    }
  });
});

describe("groups of Parquet", () => {
  const groupsOf = (bytes: Uint8Array) =>
    parquetMetadata(exactBuffer(bytes)).row_groups.map((group) => [Number(group.num_rows), group.columns.length]);

  it("have every column, and are the same in one piece and in chunks", async () => {
    const table = lazy(20_000);
    const bytes = encodeParquet(table);
    expect(groupsOf(bytes)).toEqual([
      [1000, 5],
      [16_384, 5],
      [2616, 5],
    ]);
    expect((await inWhole(streamParquet(table))).equals(bytes)).toBe(true);
    expect(encodeCsv(table)).toHaveLength((await inWhole(streamCsv(table))).length);
  });

  it("have fewer rows where the table is wide or its texts are long", async () => {
    const wide = [...COLUMNS, ...Array.from({ length: 8187 }, (_, k) => ({ name: `c${k}`, type: "number" }) as const)];
    const bytes = encodeParquet(lazy(513, wide));
    expect(groupsOf(bytes)).toEqual([
      [512, 8192],
      [1, 8192],
    ]);
    const rows = await parquetReadObjects({ file: exactBuffer(bytes), columns: ["tiles"] });
    expect(rows.map(({ tiles }) => tiles as unknown)).toEqual(Array.from({ length: 513 }, (_, i) => BigInt(i)));
    const long = { slide: "x".repeat(1024 * 1024) };
    const texts = { columns: COLUMNS, rows: new Array<Row>(6).fill(long) };
    expect(groupsOf(encodeParquet(texts))).toEqual([
      [4, 5],
      [2, 5],
    ]);
  });
});
