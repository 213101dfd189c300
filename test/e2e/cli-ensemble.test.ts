import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { plantCohort } from "../lib/cohort.ts";
import { runCli } from "../lib/run-cli.ts";

// From a cross-validation of patients with two slides each to what the models of its folds say together.

const STORE = ["--store", "file:ensemble", "--json"];
const TABLE = ["--labels", "slides.csv"];
const slides = plantCohort(24);
const nameOf = (i: number) => slides[i]?.fileName.replace(".npy", "") ?? "";

let folder: string;
let operation: string;
let crossval: Awaited<ReturnType<typeof runCli>>;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "parfocal-cli-ensemble-"));
  await mkdir(join(folder, "features"));
  for (const { fileName, bytes } of slides) await writeFile(join(folder, "features", fileName), bytes);
  const rows = slides.map(({ fileName, patient, label }) => `${fileName.replace(".npy", "")},${patient},${label}`);
  await writeFile(join(folder, "slides.csv"), `slide_id,patient_id,label\n${rows.join("\n")}\n`);
  const imported = await runCli(["import", "features", ...STORE], folder);
  expect(imported.code, imported.stderr).toBe(0);
  const spec = ["--groups", "mean", "--epochs", "3", "--hidden", "16", "--folds", "3", "--lr", "3e-3"];
  crossval = await runCli(["crossval", ...TABLE, ...spec, "--keep", "--out", "cv", ...STORE], folder);
  expect(crossval.code, crossval.stderr).toBe(0);
  operation =
    String(crossval.records.find((record) => "pooled" in record)?.operation)
      .split("/")
      .at(-1) ?? "";
}, 240_000);
afterAll(() => rm(folder, { recursive: true, force: true }));

type Line = Readonly<Record<string, string>>;

const linesOf = async (file: string): Promise<Line[]> => {
  const [heading = "", ...lines] = (await readFile(join(folder, file), "utf8")).trim().split(/\r?\n/);
  const names = heading.split(",");
  return lines.map((line) =>
    Object.fromEntries(line.split(",").map((cell, i): [string, string] => [names[i] ?? "", cell])),
  );
};

describe("parfocal crossval --groups", () => {
  it("decides and reports patients, and has slides by themselves beside", async () => {
    expect(crossval.records.find((record) => "pooled" in record)).toMatchObject({
      decided: { unit: "patient", count: 12, slides: 24 },
    });
    const patients = await linesOf("cv/predictions.csv");
    expect(patients).toHaveLength(12);
    expect(new Set(patients.map(({ patient }) => patient)).size).toBe(12);
    expect(patients.every(({ slides: named = "" }) => named.split("; ").length === 2)).toBe(true);
    expect(await linesOf("cv/slide-predictions.csv")).toHaveLength(24);
    const report = await readFile(join(folder, "cv/report.html"), "utf8");
    for (const text of [
      "Decided once: every patient, 12 patients of 24 slides.",
      "All patients together",
      "12 patients of 24 slides by models that had not seen them",
    ])
      expect(report).toContain(text);
  });
});

describe("the ensemble of a cross-validation", () => {
  it("is predicted by one command, patients too", async () => {
    const asked = ["--crossval", operation, ...TABLE, "--csv", "ensemble.csv"];
    const run = await runCli(["predict", "--all", ...asked, ...STORE], folder);
    expect(run.code, run.stderr).toBe(0);
    const rows = await linesOf("ensemble.csv");
    expect(rows).toHaveLength(4 * 24);
    const own = rows.filter(({ slide }) => slide === nameOf(0));
    const said = own.slice(0, 3).map((row) => Number(row.probability_tumour));
    const mean = said.reduce((sum, value) => sum + value, 0) / 3;
    const together = own.at(-1);
    expect(together?.model).toBe("ensemble");
    expect(Number(together?.probability_tumour)).toBeCloseTo(mean, 12);
    const deviation = Math.sqrt(said.reduce((sum, value) => sum + (value - mean) ** 2, 0) / 2);
    expect(Number(together?.spread_tumour)).toBeCloseTo(deviation, 12);
    expect(own[0]?.spread_tumour).toBe("");
    expect(run.records.filter((record) => record.model === "ensemble" && "spread" in record)).toHaveLength(24);
    // Two of three folds have trained or validated with any slide.
    expect(run.records.at(-1)).toMatchObject({ model: "ensemble", cases: 24, seen: { neither: 0, unknown: 0 } });
    expect(run.stderr).toMatch(
      /^ensemble: \d+ of 24 slides were in the training part of one of its models: its figures/mu,
    );
    expect(own.filter(({ seen }) => seen === "neither")).toHaveLength(1);
    const patient = ["--together", "all", nameOf(0), nameOf(1)];
    const both = await runCli(["predict", "--crossval", operation, ...patient, ...STORE], folder);
    expect(both.code, both.stderr).toBe(0);
    expect(both.records.at(-1)).toMatchObject({ model: "ensemble", slides: [nameOf(0), nameOf(1)] });
  });

  it("is in a batch by slide and by patient", async () => {
    const manifest = slides.map((slide, i) => `${nameOf(i)},${slide.patient}`).join("\n");
    await writeFile(join(folder, "manifest.csv"), `slide_id,patient_id\n${manifest}\n`);
    const run = await runCli(["batch", "manifest.csv", "--crossval", operation, "--out", "batch", ...STORE], folder);
    expect(run.code, run.stderr).toBe(0);
    for (const [file, n] of [
      ["predictions", 24],
      ["patients", 12],
    ] as const) {
      const rows = await linesOf(`batch/${file}.csv`);
      expect(rows.filter(({ model }) => model === "ensemble")).toHaveLength(n);
    }
  });

  it("says what is wrong with what it is asked", async () => {
    const ask = (...args: string[]) => runCli(["predict", nameOf(0), ...args, ...STORE], folder);
    expect((await ask()).code).toBe(2);
    expect((await ask("--model", "crossval", "--crossval", operation)).code).toBe(2);
    const one = await ask("--model", "crossval", "--ensemble");
    expect(one.records.at(-1)).toMatchObject({ error: { code: "INVALID_ARGUMENT" } });
    const maps = await ask("--crossval", operation, "--heatmaps", "maps");
    expect([maps.code, maps.stderr + JSON.stringify(maps.records)]).toEqual([
      2,
      expect.stringContaining("maps are of one model"),
    ]);
  });
});
