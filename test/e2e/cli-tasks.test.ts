import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { GRADES, plantGrades } from "../lib/graded-cohort.ts";
import { runCli } from "../lib/run-cli.ts";

// STAMP's tables: one says whose the slides are, another what is known of the patients.

const STORE = ["--store", "file:tasks", "--json"];
const TABLES = ["--labels", "slides.csv", "--clinical", "clinical.csv"];
const TRAINING = ["--hidden", "16", "--attention-width", "8", "--lr", "1e-2", "--epochs", "12", "--seed", "5"];

let folder: string;
const slides = plantGrades(160);
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "parfocal-cli-tasks-"));
  await mkdir(join(folder, "features"));
  for (const { fileName, bytes } of slides) await writeFile(join(folder, "features", fileName), bytes);
  const files = slides.map(({ fileName, patient }) => `${patient},${fileName}`);
  await writeFile(join(folder, "slides.csv"), `PATIENT,FILENAME\n${files.join("\n")}\n`);
  const patients = slides.flatMap(({ patient, grade, age, survival }, i) =>
    i % 2 === 0 ? [`${patient};${grade};${age};${survival.time};${survival.event ? 1 : 0}`] : [],
  );
  await writeFile(join(folder, "clinical.csv"), `PATIENT;GRADE;AGE;OS.months;OS\n${patients.join("\n")}\n`);
  const imported = await runCli(["import", "features", ...STORE], folder);
  expect([imported.code, imported.records.length]).toEqual([0, slides.length]);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

interface Trained {
  readonly test: { readonly metrics: readonly { readonly name: string; readonly value: number }[] };
}

async function trainedFigure(model: string, args: readonly string[], name: string): Promise<number | undefined> {
  const run = await runCli(["train", "--model", model, ...TABLES, ...args, ...TRAINING, ...STORE], folder);
  expect([run.code, run.stderr]).toEqual([0, run.stderr]);
  const { test } = run.records.at(-1) as unknown as Trained;
  return test.metrics.find((metric) => metric.name === name)?.value;
}

describe("parfocal train on a clinical table", () => {
  it("learns grades in their order", async () => {
    const args = ["--task", "ordinal", "--label-column", "GRADE", "--classes", GRADES.join(",")];
    // 0 is chance. Grades are cut out of one scale: those near a cut cannot be told apart.
    expect(await trainedFigure("grade", args, "quadratic_kappa")).toBeGreaterThan(0.6);
  });

  it("learns a number, and predict measures it by the same table", async () => {
    const args = ["--task", "regression", "--label-column", "AGE"];
    expect(await trainedFigure("age", args, "r2")).toBeGreaterThan(0.5);
    const scored = await runCli(["predict", "--all", "--model", "age", ...TABLES, "--csv", "p.csv", ...STORE], folder);
    expect(scored.code).toBe(0);
    expect(scored.records[0]).toMatchObject({ values: { AGE: expect.any(Number) as number } });
    expect(scored.records.at(-1)).toMatchObject({
      number: "AGE",
      metrics: { r2: { value: expect.any(Number) as number } },
    });
  });

  it("learns risks, slides of a patient together", async () => {
    const columns = ["--time-column", "OS.months", "--event-column", "OS"];
    expect(await trainedFigure("risk", ["--task", "cox", ...columns, "--groups", "mean"], "c_index")).toBeGreaterThan(
      0.7,
    );
  });

  it("says which line and column cannot be read, before anything is trained", async () => {
    const args = ["train", "--model", "x", ...TABLES, "--task", "regression", "--label-column", "GRADE", ...STORE];
    const { code, records } = await runCli(args, folder);
    expect(code).toBe(2);
    expect(records.at(-1)).toMatchObject({
      error: { message: expect.stringContaining("line 2 of the labels table, column GRADE") as string },
    });
  });
});

describe("tables as they come", () => {
  const LABELS = "few.csv";
  beforeAll(async () => {
    // Two genes that follow the grade; of every sixth slide one is not known, of the first neither, and no age.
    const rows = slides.slice(0, 60).map(({ patient, grade, age }, i) => {
      const gene = grade === "high" ? "MUT" : "WT";
      const fold = ["a", "b", "c"][Math.floor(i / 2) % 3];
      return `${patient},graded-${i},${i % 6 === 0 ? "" : gene},${i === 0 ? "NA" : gene},${i === 0 ? "" : age},${fold}`;
    });
    await writeFile(join(folder, LABELS), `case_id,slide_id,KRAS,TP53,age,fold\n${rows.join("\n")}\n`);
  });

  const run = (command: string, ...args: string[]) => runCli([command, "--labels", LABELS, ...args, ...STORE], folder);
  const columns = ["--task", "multilabel", "--label-column", "KRAS,TP53"];

  it("are cross-validated by their own folds, with a column for each label", async () => {
    const options = ["--fold-column", "fold", ...columns, ...TRAINING, "--out", "own-folds"];
    const { code, stderr, records } = await run("crossval", ...options);
    expect([code, stderr]).toEqual([0, stderr]);
    expect(stderr).toContain("1 row of the labels table without a label: left out (1 empty)");
    expect(stderr).toContain("folds of the labels table, in this order: a, b, c");
    const folds = records.find((record) => "folds" in record)?.folds as readonly { readonly test: number }[];
    expect(folds.map(({ test }) => test)).toEqual([19, 20, 20]);
    const lines = (await readFile(join(folder, "own-folds", "predictions.csv"), "utf8")).trim().split("\n").slice(1);
    const tested = lines.map((line) => [Number(line.split(",")[0]?.slice("graded-".length)), line.split(",")[4]]);
    expect(tested.every(([slide, fold]) => String((Math.floor(Number(slide) / 2) % 3) + 1) === fold)).toBe(true);
    const resolved = await readFile(join(folder, "own-folds", "experiment.yaml"), "utf8");
    expect(resolved).toContain("  fold_column: fold\n");
    expect(resolved).not.toContain("  folds:");
  });

  it("refuse folds beside their own, before anything starts", async () => {
    const { code, records } = await run("crossval", "--fold-column", "fold", "--folds", "5", ...columns);
    expect(code).toBe(2);
    expect(records.at(-1)).toMatchObject({
      error: { message: "--folds is 5; the folds are those of the column fold" },
    });
  });

  it("may lack a number, in training and in prediction", async () => {
    const options = ["--task", "regression", "--label-column", "age", ...TRAINING];
    await writeFile(join(folder, "ages.csv"), (await readFile(join(folder, LABELS), "utf8")).replace(",fold", ",cv"));
    const ages = ["--labels", "ages.csv", ...STORE];
    const trained = await runCli(["train", "--model", "few", ...options, ...ages], folder);
    expect([trained.code, trained.stderr]).toEqual([0, trained.stderr]);
    expect(trained.stderr).toContain("1 row of the labels table without a label: left out (1 empty)");
    const scored = await runCli(["predict", "--all", "--model", "few", ...ages], folder);
    expect([scored.code, scored.stderr]).toEqual([0, scored.stderr]);
    expect(scored.records.filter((record) => "bag" in record)).toHaveLength(slides.length);
    expect(scored.records.at(-1)).toMatchObject({ number: "age", cases: 59 });
  });
});
