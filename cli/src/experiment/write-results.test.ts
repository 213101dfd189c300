import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { fixtureReport } from "../report/report-data.fixture.ts";
import { writeResults } from "./write-results.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "parfocal-results-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe("the results of a run", () => {
  it("replace those of before together, or not at all", async () => {
    await mkdir(join(folder, "predictions.parquet"));
    await writeFile(join(folder, "report.html"), "old");
    const results = { report: fixtureReport(), predictions: [], metrics: { n: 3n } };
    await expect(writeResults(folder, results)).rejects.toMatchObject({ code: "PRECONDITION_FAILED" });
    expect((await readdir(folder)).sort()).toEqual(["predictions.parquet", "report.html"]);
    expect(await readFile(join(folder, "report.html"), "utf8")).toBe("old");

    await rm(join(folder, "predictions.parquet"), { recursive: true });
    const files = await writeResults(folder, results);
    expect((await readdir(folder)).map((name) => join(folder, name)).sort()).toEqual(Object.values(files).sort());
    expect(JSON.parse(await readFile(files.metrics, "utf8"))).toEqual({ n: "3" });
  });
});
