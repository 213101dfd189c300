import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { encodeSlideH5 } from "../../cli/src/cohort/encode-h5.ts";
import { plantCohort } from "../../cli/src/cohort/planted-cohort.ts";
import { runCli } from "../lib/run-cli.ts";

const SLIDES = plantCohort(30, 3n);
const patients = [...new Set(SLIDES.map(({ patient }) => patient))];
/** Six hospitals, each with patients of its own. */
const siteOf = (patient: string) => `hospital-${patients.indexOf(patient) % 6}`;

const EXPERIMENT = `name: lesion
data:
  labels: labels.csv
  files: slides
  site_column: hospital
model:
  head:
    kind: gated-abmil
    attention_width: 16
    trunk: {hidden: [16]}
recipe:
  epochs: 6
  optimiser: {learning_rate: 2e-3}
split: {validation_fraction: 0.25, folds: 3}
seeds: 5
output: out
variants:
  - name: gated
  - name: mean
    model:
      head: {kind: mean, trunk: {hidden: [16]}}
`;

let folder: string;
const store = ["--store", "file:store", "--json"];
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "parfocal-compare-experiment-"));
  await mkdir(join(folder, "slides"));
  for (const slide of SLIDES)
    await writeFile(join(folder, "slides", `${slide.slideId}.h5`), await encodeSlideH5(slide));
  const rows = SLIDES.map(({ slideId, patient, label }) => `${slideId},${patient},${label},${siteOf(patient)}`);
  await writeFile(join(folder, "labels.csv"), `slide_id,patient_id,label,hospital\n${rows.join("\n")}\n`);
  await writeFile(join(folder, "exp.yaml"), EXPERIMENT);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe("the variants of an experiment", () => {
  it("are refused with every mistake and its place, before any service starts", async () => {
    const bad = EXPERIMENT.replace("kind: mean", "kind: meen").replace(
      "- name: gated",
      "- name: gated\n    recipe: {epochs: 0}\n  - {name: mean, data: {}}",
    );
    await writeFile(join(folder, "bad.yaml"), bad);
    const keys = await runCli(["compare", "-f", "bad.yaml", ...store], folder);
    expect([keys.code, keys.records]).toMatchObject([
      2,
      [
        {
          error: {
            message: expect.stringContaining("bad.yaml:20:18: variants[1] has no data; it has name, mo") as string,
          },
        },
      ],
    ]);
    await writeFile(join(folder, "bad.yaml"), bad.replace(", data: {}", ""));
    const values = await runCli(["experiment", "check", "bad.yaml"], folder);
    expect([values.code, values.stderr.trim().split("\n")]).toEqual([
      2,
      [
        "parfocal: INVALID_ARGUMENT: bad.yaml:19:22: variant gated: recipe.epochs is 0; it must be a whole number from 1 to 10000",
        "bad.yaml:21:11: variant mean: another variant has this name",
      ],
    ]);
    const none = await runCli(["compare", "-f", "exp.yaml", "variants=", ...store], folder);
    expect([none.code, none.records]).toMatchObject([
      2,
      [{ error: { message: expect.stringContaining("names no variants") as string } }],
    ]);
  });

  it("are tested in pairs on the same folds, which keep hospitals whole", async () => {
    const { code, records, stderr } = await runCli(["compare", "-f", "exp.yaml", ...store], folder);
    expect(code, stderr).toBe(0);
    const pairs = records.filter(({ p }) => p !== undefined);
    expect(pairs.find(({ metric }) => metric === "auroc")).toMatchObject({ first: "gated", second: "mean" });
    for (const { p, adjusted_p } of pairs) expect(p).toBe(adjusted_p);
    const folds = await Promise.all(["gated", "mean"].map(foldsOf));
    expect(folds[0]).toEqual(folds[1]);
    expect(folds[0]?.size).toBe(SLIDES.length);
    const bySite = Map.groupBy(SLIDES, ({ patient }) => siteOf(patient));
    expect(bySite.size).toBe(6);
    for (const slides of bySite.values())
      expect(new Set(slides.map(({ slideId }) => folds[0]?.get(slideId))).size).toBe(1);
    expect(new Set(folds[0]?.values()).size).toBe(3);
    const page = await readFile(join(folder, "out/comparison.html"), "utf8");
    for (const part of ["lesion: gated, mean compared", "gated − mean", "p, Holm"]) expect(page).toContain(part);
    expect(page).not.toMatch(/(?:src|href)="https?:/);
    const report = await readFile(join(folder, "out/gated/report.html"), "utf8");
    expect(report).toContain("6 sites kept whole");
  });
});

interface FoldedRow {
  readonly slide: string;
  readonly fold: string;
}

async function foldsOf(variant: string): Promise<Map<string, string>> {
  const rows = JSON.parse(await readFile(join(folder, "out", variant, "predictions.json"), "utf8")) as FoldedRow[];
  return new Map(rows.map(({ slide, fold }) => [slide, fold] as const).sort());
}
