import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { plantGrades } from "../lib/graded-cohort.ts";
import { runCli } from "../lib/run-cli.ts";

// Patients with two slides each, learnt and decided by the mean of the slides, and models of Cox's likelihood.

const STORE = ["--store", "file:patients", "--json"];
const TABLE = ["--labels", "slides.csv"];
const SMALL = ["--hidden", "16", "--attention-width", "8", "--lr", "1e-2", "--seed", "5"];
const slides = plantGrades(80);
const nameOf = (i: number) => slides[i]?.fileName.replace(".npy", "") ?? "";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "parfocal-cli-patients-"));
  await mkdir(join(folder, "features"));
  for (const { fileName, bytes } of slides) await writeFile(join(folder, "features", fileName), bytes);
  const rows = slides.map(
    ({ fileName, patient, grade, survival }) =>
      `${fileName},${patient},${grade},${survival.time},${survival.event ? 1 : 0}`,
  );
  await writeFile(join(folder, "slides.csv"), `slide_id,patient_id,label,time,event\n${rows.join("\n")}\n`);
  const imported = await runCli(["import", "features", ...STORE], folder);
  expect([imported.code, imported.records.length]).toEqual([0, slides.length]);
  const cox = ["--task", "cox", "--groups", "mean", "--epochs", "8"];
  const trained = await runCli(["train", "--model", "risk", ...TABLE, ...cox, ...SMALL, ...STORE], folder);
  expect(trained.code, trained.stderr).toBe(0);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

interface Said {
  readonly bag: string;
  readonly bags?: readonly string[];
  readonly rule?: string;
  readonly survival: { readonly risk: number; readonly curve: readonly { time: number; survival: number }[] };
}

const predict = (args: readonly string[], model = "risk") =>
  runCli(["predict", "--model", model, ...args, ...STORE], folder);

describe("parfocal predict --together", () => {
  it("decides the slides of one patient by the rule of the model, and says which", async () => {
    const alone = await predict([nameOf(0), nameOf(1)]);
    const risks = alone.records.map((record) => (record as unknown as Said).survival.risk);
    expect([alone.code, risks.length]).toEqual([0, 2]);
    const both = await predict(["--together", "all", nameOf(0), nameOf(1)]);
    expect([both.code, both.records.length], both.stderr).toEqual([0, 1]);
    const said = both.records[0] as unknown as Said;
    expect(said.survival.risk).toBeCloseTo(((risks[0] ?? 0) + (risks[1] ?? 0)) / 2, 5);
    // Of one baseline: S(t)^(1 / e^risk) is the same for all.
    const [first] = alone.records as unknown as Said[];
    const baseline = ({ survival: { risk, curve } }: Said) =>
      curve.map((point) => -Math.log(point.survival) / Math.exp(risk));
    expect(said.survival.curve.length).toBeGreaterThan(4);
    for (const [k, hazard] of baseline(said).slice(0, 5).entries())
      expect(hazard).toBeCloseTo(first === undefined ? Number.NaN : (baseline(first)[k] ?? Number.NaN), 8);
    expect([said.rule, said.bags?.length, said.bags?.[0]]).toEqual(["mean", 2, said.bag]);
    expect(both.stderr).toContain(
      "1 patient with several slides, decided by the mean of the slides' logits (rule mean)",
    );
  });

  it("takes patients from the labels, and measures each once", async () => {
    const all = await predict(["--all", "--together", "patient", ...TABLE]);
    expect(all.code, all.stderr).toBe(0);
    const said = all.records.filter((record) => "bag" in record) as unknown as Said[];
    expect([said.length, new Set(said.map(({ rule }) => rule))]).toEqual([40, new Set(["mean"])]);
    expect(all.records.at(-1)).toMatchObject({ cases: 40, patients: 40 });
  });

  it("refuses maps, slides of two labels, a slide that is not there, and models without a rule", async () => {
    const two = [nameOf(0), nameOf(1)];
    const drawn = await predict(["--together", "all", ...two, "--heatmaps", "maps"]);
    expect([drawn.code, drawn.records]).toMatchObject([
      2,
      [{ error: { message: expect.stringContaining("maps are of one slide") as string } }],
    ]);
    const mixed = await predict(["--together", "all", nameOf(0), nameOf(2), ...TABLE]);
    expect([mixed.code, mixed.records]).toMatchObject([
      2,
      [{ error: { message: expect.stringContaining("2 slides that are decided together have 2") as string } }],
    ]);
    const missing = await predict(["--together", "all", nameOf(0), "nobody"]);
    expect([missing.code, missing.records]).toMatchObject([1, [{ bag: "nobody", error: { code: "NOT_FOUND" } }]]);
    const task = ["--task", "multiclass", "--epochs", "1"];
    const trained = await runCli(["train", "--model", "alone", ...TABLE, ...task, ...SMALL, ...STORE], folder);
    expect(trained.code, trained.stderr).toBe(0);
    const alone = await predict(["--together", "all", ...two], "alone");
    expect([alone.code, alone.records]).toMatchObject([1, [{ error: { code: "PRECONDITION_FAILED" } }]]);
  });
});

interface Folded {
  readonly folds: readonly { readonly metrics: { readonly censoring?: string } }[];
  readonly pooled: readonly { readonly censoring?: string }[];
}

describe("parfocal crossval of risks", () => {
  it("weighs folds by their training cases, all of them by themselves, and draws what was predicted", async () => {
    const cox = ["--task", "cox", "--epochs", "4", "--folds", "2", "--out", "cv"];
    const run = await runCli(["crossval", ...TABLE, ...cox, ...SMALL, ...STORE], folder);
    expect(run.code, run.stderr).toBe(0);
    const { folds, pooled } = run.records.at(-1) as unknown as Folded;
    expect(folds.map(({ metrics }) => metrics.censoring)).toEqual(["training", "training"]);
    expect(pooled.map(({ censoring }) => censoring)).toEqual(["evaluated"]);
    const report = await readFile(join(folder, "cv/report.html"), "utf8");
    expect(report).toContain("Dotted: the mean survival that the model gives the cases of the group.");
    expect(report).toContain("is weighed by these cases");
  });
});
