import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parquetReadObjects } from "hyparquet";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { encodeSlideH5 } from "../../cli/src/cohort/encode-h5.ts";
import { plantCohort } from "../../cli/src/cohort/planted-cohort.ts";
import { createPicture, decodePicture, encodePng } from "../../cli/src/report/picture.ts";
import { runCli } from "../lib/run-cli.ts";

/** Slides that train, validate and test, and two that nobody has labelled. */
const SLIDES = plantCohort(30, 3n);
const NEW_SLIDES = plantCohort(4, 77n)
  .slice(0, 2)
  .map((slide, i) => ({ ...slide, slideId: `new-${i}` }));

const EXPERIMENT = `name: lesion
data:
  labels: labels.csv
  files: slides
model:
  head:
    kind: gated-abmil
    attention_width: 32
    trunk: {hidden: [32]}
recipe:
  epochs: 40
  optimiser: {learning_rate: 2e-3}
split: {validation_fraction: 0.2, test_fraction: 0.3}
seeds: 5
output: out
`;

let folder: string;
const store = ["--store", "file:store", "--json"];
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "parfocal-experiment-"));
  for (const [name, slides] of [["slides", SLIDES] as const, ["new", NEW_SLIDES] as const]) {
    await mkdir(join(folder, name));
    for (const slide of slides) await writeFile(join(folder, name, `${slide.slideId}.h5`), await encodeSlideH5(slide));
  }
  const rows = SLIDES.map(({ slideId, patient, label }) => `${slideId},${patient},${label}`);
  await writeFile(join(folder, "labels.csv"), `slide_id,patient_id,label\n${rows.join("\n")}\n`);
  await writeFile(join(folder, "exp.yaml"), EXPERIMENT);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe("an experiment file", () => {
  it("is refused with every mistake and its place, before any service starts", async () => {
    await writeFile(join(folder, "bad.yaml"), EXPERIMENT.replace("epochs: 40", "epochs: 0\n  epoch: 4"));
    const names = await runCli(["train", "-f", "bad.yaml", "seeds=x", ...store], folder);
    expect([names.code, names.records.length]).toEqual([2, 1]);
    expect(names.records[0]).toMatchObject({
      error: {
        code: "INVALID_ARGUMENT",
        message:
          "bad.yaml:12:3: recipe has no epoch; did you mean epochs?\n" +
          'bad.yaml: override seeds=x: seeds is "x"; it is a list of seeds, each a whole number from 0 to below 2^64',
      },
    });
    const bounds = await runCli(["experiment", "check", "bad.yaml", "recipe.epoch="], folder);
    expect([bounds.code, bounds.stderr.trim()]).toEqual([
      2,
      "parfocal: INVALID_ARGUMENT: bad.yaml:11:11: recipe.epochs is 0; it must be a whole number from 1 to 10000",
    ]);
  });

  it("says everything: other options beside it are refused", async () => {
    const beside = await runCli(["train", "-f", "exp.yaml", "--epochs", "3", ...store], folder);
    expect([beside.code, beside.records]).toMatchObject([
      2,
      [{ error: { message: expect.stringContaining("--epochs") as string } }],
    ]);
    const without = await runCli(["train", "recipe.epochs=3", "--model", "m", "--labels", "l.csv", ...store], folder);
    expect(without.code).toBe(2);
  });

  it("begins as an example that can be checked", async () => {
    const written = await runCli(["experiment", "init", "her2"], folder);
    expect([written.code, written.stdout]).toEqual([0, "her2.yaml\n"]);
    expect((await runCli(["experiment", "check", "her2.yaml"], folder)).code).toBe(0);
    expect((await runCli(["experiment", "init", "her2"], folder)).code).toBe(2);
    const schema = await runCli(["experiment", "schema", "--json"], folder);
    expect(schema.records).toMatchObject([{ title: "Parfocal experiment", required: ["name", "data"] }]);
  });
});

interface RunRecord {
  readonly model: string;
  readonly config: string;
  readonly metrics: { readonly auroc: { readonly value: number } };
}

interface Scored {
  readonly slide: string;
  readonly probabilities: Record<string, number>;
}

const readParquet = async (path: string): Promise<Record<string, unknown>[]> =>
  parquetReadObjects({ file: (await readFile(join(folder, path))).slice().buffer });

const readJson = async <T>(path: string) => JSON.parse(await readFile(join(folder, path), "utf8")) as T;

describe("training from a file", () => {
  it("leaves a report, the predictions and an experiment that trains the same again", async () => {
    const first = await runCli(["train", "-f", "exp.yaml", "recipe.epochs=12", ...store], folder);
    expect(first.code, first.stderr).toBe(0);
    const run = first.records.at(-1) as unknown as RunRecord;
    expect(run.metrics.auroc.value).toBeGreaterThan(0.8);
    expect((await readdir(join(folder, "out"))).sort()).toEqual([
      "experiment.yaml",
      "metrics.json",
      "predictions.csv",
      "predictions.json",
      "predictions.parquet",
      "report.html",
    ]);
    const report = await readFile(join(folder, "out/report.html"), "utf8");
    for (const part of ["lesion: tumour against normal", "ROC", run.config]) expect(report).toContain(part);
    expect(report).not.toMatch(/(?:src|href)="https?:/);
    const scored = await readJson<Scored[]>("out/predictions.json");
    const parquet = await readParquet("out/predictions.parquet");
    expect(parquet.map(({ slide, probability_tumour: p }) => [slide, p])).toEqual(
      scored.map(({ slide, probabilities }) => [slide, probabilities.tumour]),
    );

    const resolved = await readFile(join(folder, "out/experiment.yaml"), "utf8");
    expect(resolved).toContain("epochs: 12\n");
    expect(resolved).toContain(`config_sha256: ${run.config}\n`);
    const second = await runCli(["train", "-f", "out/experiment.yaml", "output=../again", ...store], folder);
    expect(second.code, second.stderr).toBe(0);
    expect(second.records.at(-1)).toMatchObject({ config: run.config, metrics: run.metrics });
    const again = await readJson<Scored[]>("again/predictions.json");
    expect(again.map(({ probabilities }) => probabilities)).toEqual(scored.map(({ probabilities }) => probabilities));
  });

  it("trains once for each seed", async () => {
    const small = ["recipe.epochs=2", "seeds=[1, 2]", "output=both", "data.files="];
    const { code, records, stderr } = await runCli(["train", "-f", "exp.yaml", ...small, ...store], folder);
    expect(code, stderr).toBe(0);
    const runs = records.filter(({ seed }) => seed !== undefined);
    expect(runs.map(({ seed }) => seed)).toEqual([1, 2]);
    expect((await readdir(join(folder, "both"))).sort()).toEqual(["experiment.yaml", "seed-1", "seed-2"]);
  });
});

interface FoldedRecord {
  readonly folds: readonly { readonly test: number; readonly metrics: object }[];
  readonly pooled: readonly { readonly slides: number; readonly metrics: { name: string; value: number }[] }[];
}

describe("cross-validation", () => {
  it("tests every slide once per repeat and reports on folds and all slides together", async () => {
    const wish = ["recipe.epochs=6", "split.folds=3", "split.repeats=2", "data.files=", "output=cv"];
    const { code, records, stderr } = await runCli(["crossval", "-f", "exp.yaml", ...wish, ...store], folder);
    expect(code, stderr).toBe(0);
    const { folds, pooled } = records.at(-1) as unknown as FoldedRecord;
    expect([folds.length, pooled.map(({ slides }) => slides)]).toEqual([6, [30, 30]]);
    const scored = await readJson<(Scored & { fold: string })[]>("cv/predictions.json");
    expect(scored).toHaveLength(60);
    const foldsOf = Map.groupBy(scored, ({ slide }) => slide);
    for (const slide of SLIDES) expect(foldsOf.get(slide.slideId)?.map(({ fold }) => fold[0])).toEqual(["1", "2"]);
    const report = await readFile(join(folder, "cv/report.html"), "utf8");
    for (const part of ["Repeat 2, fold 3", "All slides, repeat 2", "Mean ± standard deviation", "Calibration"]) {
      expect(report).toContain(part);
    }
    // What the report says of all slides is what the service measured.
    const auroc = pooled[0]?.metrics.find(({ name }) => name === "auroc")?.value ?? Number.NaN;
    expect(report).toContain(`<span class="value">${auroc.toFixed(3)}</span>`);
    expect((await readdir(join(folder, "cv"))).sort()).toContain("experiment.yaml");
  });

  it("takes everything as options too", async () => {
    const labels = ["--labels", "labels.csv", "--folds", "2", "--epochs", "2", "--hidden", "8", "--out", "cv2"];
    const { code, records, stderr } = await runCli(["crossval", ...labels, ...store], folder);
    expect(code, stderr).toBe(0);
    expect((records.at(-1) as unknown as FoldedRecord).folds).toHaveLength(2);
    const resolved = await readFile(join(folder, "cv2/experiment.yaml"), "utf8");
    expect(resolved).toContain("  labels: ../labels.csv\n");
    expect(resolved).toContain("      hidden: [8]\n");
    expect((await runCli(["crossval", ...store], folder)).code).toBe(2);
  });
});

describe("slides that nobody has labelled", () => {
  it("are predicted from files, drawn over their thumbnails and listed tile by tile", async () => {
    await mkdir(join(folder, "thumbs"));
    await writeFile(join(folder, "thumbs", "new-0.png"), encodePng(createPicture(2000, 2000, [230, 230, 230])));
    const drawing = [
      "--heatmaps",
      "maps",
      "--geojson",
      "geojson",
      "--thumbnail",
      "thumbs",
      "--thumbnail-downsample",
      "64",
    ];
    const { code, records, stderr } = await runCli(
      ["predict", "--model", "lesion", "new", ...drawing, ...store],
      folder,
    );
    expect(code, stderr).toBe(0);
    expect(records.map(({ slide }) => slide).sort()).toEqual(["new-0", "new-1"]);
    expect(stderr).toContain("1 slide without a thumbnail: no overlay");
    expect((await readdir(join(folder, "maps"))).sort()).toEqual(
      ["about.txt"].concat(
        ["overlay.png", "png", "tiles.parquet", "top-tiles.csv"].map((ending) => `new-0.${ending}`),
        ["png", "tiles.parquet", "top-tiles.csv"].map((ending) => `new-1.${ending}`),
      ),
    );
    const tiles = await readParquet("maps/new-0.tiles.parquet");
    const total = tiles.reduce((sum, { score }) => sum + Number(score), 0);
    expect([tiles.length, total]).toEqual([(NEW_SLIDES[0]?.coords.length ?? 0) / 2, expect.closeTo(1, 4) as number]);
    const { width } = decodePicture(await readFile(join(folder, "maps/new-0.overlay.png")));
    expect(width).toBe(2000 + 24);
  });

  it("keep what can be drawn when the thumbnail is of another slide, and say so", async () => {
    const options = ["--heatmaps", "other", "--thumbnail", "thumbs/new-0.png", "--thumbnail-size", "300x300"];
    const { code, stderr } = await runCli(["predict", "--model", "lesion", "new-0", ...options, ...store], folder);
    expect(code).toBe(1);
    expect(stderr).toMatch(/failed: maps of new-0: GEOMETRY_MISMATCH: \d+ of \d+ tiles lie outside the thumbnail/);
    expect(await readdir(join(folder, "other"))).toContain("new-0.png");
    const unsaid = await runCli(["predict", "--model", "lesion", "new-0", ...options.slice(0, 4), ...store], folder);
    expect([unsaid.code, unsaid.records]).toMatchObject([2, [{ error: { code: "INVALID_ARGUMENT" } }]]);
  });
});
