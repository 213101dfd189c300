import { type BasicType, ByteWriter, type ColumnSource, ParquetWriter, schemaFromColumnData } from "hyparquet-writer";
import { createPieceClock, inTurns, joinPieces } from "./pieces.ts";
import { type Cell, type Column, type ColumnType, checkedRows, type LazyTable, type Row } from "./table.ts";

const TYPES: Readonly<Record<ColumnType, BasicType>> = {
  text: "STRING",
  number: "DOUBLE",
  integer: "INT64",
  boolean: "BOOLEAN",
};

/** A first group of few rows lets readers show something early. */
const FIRST_GROUP_ROWS = 1000;

/**
 * What a group holds at most: it is in memory, and a column of it is encoded in one go. Groups of 100 000 rows and 20 columns live so
 * long that V8 collects all of its heap for each, for 0.6 s beside the predictions of a large batch.
 */
const MAX_GROUP = { rows: 16_384, cells: 4 * 1024 * 1024, columnLength: 4 * 1024 * 1024 } as const;

/** Cells that are encoded in one go unless a column has more; every go looks at all names of columns. */
const CELLS_AT_ONCE = 32_768;

const NOTHING_YET = new Uint8Array(0);

/**
 * A table as Parquet: every column may be null, pages compressed by Snappy, no times in it, so that the same table gives the same
 * bytes. Groups have 16 384 rows, the first 1 000; fewer in tables of more than 256 columns or with long texts.
 *
 * @throws {DomainError} as {@link checkedRows}.
 */
export function encodeParquet(table: LazyTable): Uint8Array<ArrayBuffer> {
  return joinPieces(parquetPieces(table));
}

/** The bytes of {@link encodeParquet} in chunks, made as they are asked for. Others have their turn between any two. */
export function streamParquet(table: LazyTable): AsyncGenerator<Uint8Array<ArrayBuffer>, void, undefined> {
  return inTurns(parquetPieces(table));
}

function* parquetPieces(table: LazyTable): Generator<Uint8Array<ArrayBuffer>, void, undefined> {
  const { columns } = table;
  const writer = new ByteWriter();
  const schema = schemaFromColumnData({ columnData: columns.map((column) => sourceOf(column, [])) });
  const file = new ParquetWriter({ writer, schema, createdBy: "parfocal" });
  for (const group of groupsOf(table)) {
    if (group === undefined) {
      yield NOTHING_YET;
      continue;
    }
    const nGroups = file.row_groups.length;
    const step = Math.ceil(CELLS_AT_ONCE / group.nRows);
    for (let at = 0; at < columns.length; at += step) {
      const some = columns.slice(at, at + step);
      const columnData = some.map((column, place) => sourceOf(column, group.cells[at + place] ?? []));
      void file.write({ columnData, rowGroupSize: group.nRows });
      yield take(writer);
    }
    joinGroups(file, nGroups, group.nRows);
  }
  void file.finish();
  yield take(writer);
}

/** The rows of a table in groups; `undefined` where it is time for a pause. */
function* groupsOf(table: LazyTable): Generator<Group | undefined, void, undefined> {
  const maxRows = Math.max(1, Math.min(MAX_GROUP.rows, Math.floor(MAX_GROUP.cells / table.columns.length)));
  const clock = createPieceClock();
  let [limit, group] = [Math.min(FIRST_GROUP_ROWS, maxRows), createGroup(table.columns)];
  for (const row of checkedRows(table)) {
    group.add(row);
    if (group.nRows >= limit || group.columnLength >= MAX_GROUP.columnLength) {
      yield group;
      [limit, group] = [maxRows, createGroup(table.columns)];
      clock.restart();
    } else if (clock.isDue()) {
      yield undefined;
      clock.restart();
    }
  }
  if (group.nRows > 0) yield group;
}

/** Rows of a table turned round. */
interface Group {
  /** `cells[column][row]`. */
  readonly cells: readonly (Cell | bigint)[][];
  readonly nRows: number;
  /** Characters of the column that has most of them. */
  readonly columnLength: number;
  add(row: Row): void;
}

function createGroup(columns: readonly Column[]): Group {
  const cells = columns.map((): (Cell | bigint)[] => []);
  const lengths = columns.map(() => 0);
  let columnLength = 0;
  return {
    cells,
    get nRows() {
      return cells[0]?.length ?? 0;
    },
    get columnLength() {
      return columnLength;
    },
    add(row) {
      for (const [at, { name, type }] of columns.entries()) {
        const cell = row[name];
        cells[at]?.push(parquetValue(cell, type));
        if (typeof cell !== "string") continue;
        lengths[at] = (lengths[at] ?? 0) + cell.length;
        columnLength = Math.max(columnLength, lengths[at]);
      }
    },
  };
}

/** Makes one row group of those after the first `nGroups` of a file, each of which has the same `nRows` rows and some of the columns. */
function joinGroups(file: ParquetWriter, nGroups: number, nRows: number): void {
  const parts = file.row_groups.splice(nGroups);
  const sum = (sizeOf: (part: (typeof parts)[number]) => bigint | undefined) =>
    parts.reduce((total, part) => total + (sizeOf(part) ?? 0n), 0n);
  file.row_groups.push({
    columns: parts.flatMap(({ columns }) => columns),
    total_byte_size: sum(({ total_byte_size: size }) => size),
    total_compressed_size: sum(({ total_compressed_size: size }) => size),
    num_rows: BigInt(nRows),
  });
  file.num_rows -= BigInt(nRows * (parts.length - 1));
}

/** Takes what was written out of a writer, which goes on counting from the file's beginning. */
function take(writer: ByteWriter): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(writer.getBuffer());
  writer.index = 0;
  return bytes;
}

function sourceOf({ name, type }: Column, data: (Cell | bigint)[]): ColumnSource {
  return { name, data, type: TYPES[type], nullable: true };
}

function parquetValue(cell: Cell, type: ColumnType): Cell | bigint {
  if (cell === null || cell === undefined) return null;
  return type === "integer" ? BigInt(cell) : cell;
}
