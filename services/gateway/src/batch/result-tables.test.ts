import { createHash } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { openStore } from "@parfocal/store";
import type { Column, Row } from "@parfocal/tables";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { writeResult, writeResultTable } from "./result-tables.ts";

const COLUMNS: readonly Column[] = [
  { name: "slide", type: "text" },
  { name: "score", type: "number" },
];

/** Rows that are made anew for every walk, with `last` behind them. */
function rowsThen(nRows: number, last: Row): Iterable<Row> {
  return {
    *[Symbol.iterator]() {
      for (let i = 0; i < nRows; i++) yield { slide: `slide ${i}`, score: i / 7 };
      yield last;
    },
  };
}

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "parfocal-results-"));
});
afterEach(() => rm(folder, { recursive: true }));

describe("writeResultTable", () => {
  it("counts the rows and writes every encoding with its digest", async () => {
    const store = openStore(pathToFileURL(folder).href);
    const table = { columns: COLUMNS, rows: rowsThen(9999, { slide: "last" }) };
    const { rowCount, ...files } = await writeResultTable(store, "results", { name: "scores", table }, {});
    expect(rowCount).toBe(10_000n);
    for (const ending of ["csv", "jsonl", "parquet"] as const) {
      const { bytes } = await store.get(`results/scores.${ending}`);
      const sha256 = createHash("sha256").update(bytes).digest("hex");
      const uri = `${pathToFileURL(folder).href}/results/scores.${ending}`;
      expect(files[ending]).toEqual({ uri, sha256, sizeBytes: BigInt(bytes.length) });
    }
    store.close();
  });

  it("leaves what was there when a row far behind is none, and no part of a file", async () => {
    const store = openStore(pathToFileURL(folder).href);
    const before = await writeResult(store, "results/scores.csv", Buffer.from("old"), { contentType: "text/csv" });
    const table = { columns: COLUMNS, rows: rowsThen(30_000, { slide: "last", score: Number.NaN }) };
    await expect(writeResultTable(store, "results", { name: "scores", table }, {})).rejects.toMatchObject({
      code: "NON_FINITE",
    });
    expect(before.sizeBytes).toBe(3n);
    expect(Buffer.from((await store.get("results/scores.csv")).bytes).toString()).toBe("old");
    expect((await store.list("")).objects.map(({ key }) => key)).toEqual(["results/scores.csv"]);
    store.close();
  });
});
