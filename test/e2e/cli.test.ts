import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { plantCohort } from "../lib/cohort.ts";
import { type CliRun, runCli, startCli } from "../lib/run-cli.ts";

const PATHOLOGY = fileURLToPath(new URL("../../../shared/data/pathology", import.meta.url));
const hasPathology = existsSync(PATHOLOGY);
if (!hasPathology) console.warn(`skipped: no real files at ${PATHOLOGY}`);

const TRAINING = ["--hidden", "32", "--attention-width", "16", "--lr", "3e-3", "--dropout", "0.1"];

let folder: string;
const slides = plantCohort(40);
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "parfocal-cli-"));
  await mkdir(join(folder, "features"));
  for (const { fileName, bytes } of slides) await writeFile(join(folder, "features", fileName), bytes);
  const rows = slides.map(({ fileName, patient, label }) => `${patient},${fileName.replace("npy", "svs")},${label}`);
  await writeFile(join(folder, "labels.csv"), `case_id,slide_id,label\n${rows.join("\n")}\n`);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe("the command line by itself", () => {
  it("shows help at once, with examples and exit codes", async () => {
    const { code, stdout } = await runCli(["--help"], folder);
    expect(code).toBe(0);
    expect(stdout).toContain("Examples:");
    expect(stdout).toContain("130  interrupted");
  });

  it.each([
    ["an unknown command", ["frobnicate"]],
    ["an unknown option", ["import", "x", "--fast"]],
    ["a missing option", ["train", "--model", "m"]],
    ["a single value by another name", ["train", "--model", "m", "--labels", "l.csv", "--set", "recipe.epoch=1"]],
    ["a single value of no re-embedder", ["train", "--model", "m", "--labels", "l.csv", "--set", "reembed.heads=4"]],
    ["a value out of range", ["train", "--model", "m", "--labels", "l.csv", "--dropout", "1"]],
    ["a path that is not there", ["import", "nowhere.h5"]],
    ["no bags and no --all", ["predict", "--model", "m"]],
    ["one model to compare", ["compare", "m", "--labels", "l.csv"]],
  ])("exits 2 for %s, with one JSON line for programs", async (_, args) => {
    const { code, records, stdout } = await runCli([...args, "--json"], folder);
    expect(code).toBe(2);
    expect(records).toMatchObject([{ error: { code: "INVALID_ARGUMENT" } }]);
    expect(stdout.trimEnd().split("\n")).toHaveLength(1);
  });

  it("exits 3 when no gateway answers, and when the services cannot start", async () => {
    const away = await runCli(["bags", "list", "--gateway", "127.0.0.1:1", "--json"], folder);
    expect([away.code, away.records]).toMatchObject([3, [{ error: { code: "UNREACHABLE" } }]]);
    const bad = await runCli(["bags", "list", "--store", "ftp://x", "--json"], folder);
    expect([bad.code, bad.records]).toMatchObject([3, [{ error: { code: "INVALID_ARGUMENT" } }]]);
  });
});

describe.skipIf(!hasPathology)("importing real files", () => {
  it("gives a line for each with what it inferred, and exits 1 for the one that is no bag", async () => {
    const { code, records } = await runCli(["import", PATHOLOGY, "--json", "--store", "file:real"], folder);
    expect(code).toBe(1);
    const byName = new Map(records.map((record) => [String(record.path).split("/").at(-1), record]));
    expect(byName.size).toBe(7);
    expect(byName.get("gigapath_tile_view.pt")).toMatchObject({ error: { code: "SHAPE_MISMATCH" } });
    byName.delete("gigapath_tile_view.pt");
    for (const record of byName.values()) expect(record).toMatchObject({ n: 196, d: 1536 });
    const trident = byName.get("trident_features.h5");
    expect(trident).toMatchObject({ dtype: "F16", inferred: { layout: "trident-h5", tilePx: 256, mpp: 0.5 } });
    expect(trident?.bag).toBe(`projects/default/bags/${String(trident?.digest)}`);
  });
});

describe("commands that start the services themselves", () => {
  it("import, train, predict and look up on one store, one after another", async () => {
    const store = ["--store", "file:own", "--json"];
    const imported = await runCli(["import", "features", ...store], folder);
    expect([imported.code, imported.records.length]).toEqual([0, slides.length]);
    const again = await runCli(["import", "features/slide-0.npy", ...store], folder);
    expect(again.records).toMatchObject([{ existed: true, digest: imported.records.find(isSlide("slide-0"))?.digest }]);

    const labels = ["--model", "tumour", "--labels", "labels.csv"];
    const trained = await runCli(["train", ...labels, "--epochs", "12", "--seed", "5", ...TRAINING, ...store], folder);
    expect(trained.code).toBe(0);
    expect(trained.records.some(({ phase }) => phase === "epoch 12 of 12")).toBe(true);
    const done = trained.records.at(-1) as { model: string; test: { metrics: { name: string; value: number }[] } };
    expect(done.model).toMatch(/^projects\/default\/models\/tumour\/versions\/[0-9a-f]{32}$/);
    expect(done.test.metrics.find(({ name }) => name === "auroc")?.value).toBeGreaterThan(0.9);

    const scored = await runCli(["predict", "--all", ...labels, "--csv", "p.csv", ...store], folder);
    expect(scored.code).toBe(0);
    const predictions = scored.records.slice(0, -1);
    expect(predictions).toHaveLength(slides.length);
    for (const each of predictions) {
      const { probabilities, decision, threshold, model } = each as unknown as Prediction;
      expect(model).toBe(done.model);
      expect(Object.keys(probabilities)).toEqual(["normal", "tumour"]);
      expect(decision).toBe(probabilities.tumour >= threshold ? "tumour" : "normal");
    }
    const seen = Object.groupBy(predictions, (each) => String(each.seen));
    const counts = { training: seen.training?.length, validation: seen.validation?.length };
    expect(counts.training).toBeGreaterThan(slides.length / 2);
    expect(scored.records.at(-1)).toMatchObject({
      metrics: { auroc: { value: expect.any(Number) as number } },
      seen: { ...counts, neither: seen.neither?.length, unknown: 0 },
    });
    const share = `${counts.training} of ${slides.length} slides were in the training part of this model`;
    expect(scored.stderr).toContain(`${share}\n`);
    expect(scored.stderr).toContain(`${share}: its figures are no test\n`);
    expect(scored.stderr).not.toContain("is not known");
    const [heading = "", ...lines] = (await readFile(join(folder, "p.csv"), "utf8")).split("\r\n");
    expect(lines).toHaveLength(slides.length + 1);
    const at = heading.split(",").indexOf("seen");
    expect(lines.filter((line) => line.split(",")[at] === "training")).toHaveLength(counts.training ?? 0);

    const some = await runCli(["predict", "--model", "tumour", "slide-3", "nobody", ...store], folder);
    expect(some.code).toBe(1);
    expect(some.records.map(({ error }) => (error as { code: string } | undefined)?.code)).toEqual([
      "NOT_FOUND",
      undefined,
    ]);
    const models = await runCli(["models", "list", ...store], folder);
    expect(models.records.map(({ model }) => model)).toEqual([done.model]);
  });

  it("trains a re-embedder with its head as options, presets and single values say", async () => {
    const store = ["--store", "file:own", "--json"];
    const labels = ["--labels", "labels.csv", "--seed", "5"];
    const set = (...values: string[]) => values.flatMap((value) => ["--set", value]);
    const r2t = set("reembed.stem-width=16", "reembed.heads=2", "reembed.crmsa_heads=2", "reembed.regionNum=2");
    const head = ["--head", "abmil", ...set("head.attentionWidth=8", "head.activation=relu", "head.bias=false")];
    const options = ["--reembed", "r2t", ...r2t, ...head, ...set("recipe.optimiser.learningRate=3e-3")];
    const trained = await runCli(["train", "--model", "r2t", ...labels, "--epochs", "2", ...options, ...store], folder);
    expect(trained.code, trained.stderr).toBe(0);
    const shown = await runCli(["models", "get", "r2t", ...store], folder);
    expect(shown.records.at(-1)).toMatchObject({
      reembedder: "r2t",
      config: {
        reembed: { kind: "r2t", stemWidth: 16, heads: 2, crmsaHeads: 2, regionNum: 2, crmsaK: 3 },
        head: { kind: "abmil", hidden: [], attentionWidth: 8, attentionActivation: "relu", attentionBias: false },
      },
    });
    const compared = await runCli(["compare", "tumour", "r2t", "--labels", "labels.csv", ...store], folder);
    expect(compared.code, compared.stderr).toBe(0);
    expect(compared.records[1]).toMatchObject({
      model: expect.stringContaining("/models/r2t/") as string,
      evaluation: { seen: { neither: expect.any(Number) as number, unknown: 0 } },
    });
    const people = await runCli(["compare", "tumour", "r2t", "--labels", "labels.csv", "--store", "file:own"], folder);
    expect(people.stdout).toMatch(
      /^r2t: \d+ of \d+ slides were in the training part of this model: its figures are no/mu,
    );
    // Two slides per patient: nothing but the bootstrap over patients holds.
    expect(compared.records.find(({ metric }) => metric === "auroc")).toMatchObject({
      difference: expect.any(Number) as number,
      adjusted_p: expect.any(Number) as number,
      method: "paired bootstrap",
    });
    const scored = await runCli(["predict", "--model", "r2t", "slide-1", ...store], folder);
    expect(scored.records).toMatchObject([{ slide: "slide-1" }]);

    const small = set(
      "reembed.width=16",
      "reembed.heads=2",
      "reembed.rotary=none",
      "head.heads=2",
      "head.trunk.hidden=8",
    );
    const preset = ["--preset", "ro-abmil", ...small, "--attention-width", "8", "--epochs", "1"];
    const second = await runCli(["train", "--model", "ro", ...labels, ...preset, ...store], folder);
    expect(second.code, second.stderr).toBe(0);
    const ro = await runCli(["models", "get", "ro", ...store], folder);
    expect(ro.records.at(-1)).toMatchObject({
      config: {
        reembed: { kind: "roformer", width: 16, rotary: "none", dropout: 0.25 },
        head: { kind: "class-attention", hidden: [8], attentionWidth: 8, heads: 2, branches: "per-class" },
      },
    });
  });

  it("shows every value of a preset by the name that changes it, and names the presets that there are", async () => {
    const store = ["--store", "file:own", "--json"];
    const shown = await runCli(["presets", "r2t-nsclc-plip", ...store], folder);
    expect(shown.records).toMatchObject([
      { values: { "reembed.epegKernel": "13", "reembed.crmsaMlp": "true", "recipe.optimiser.weightDecay": "0.00001" } },
    ]);
    const transmil = await runCli(["presets", "transmil", ...store], folder);
    expect(transmil.records).toMatchObject([
      {
        values: {
          "recipe.optimiser.kind": "radam",
          "recipe.optimiser.learningRate": "0.0002",
          "recipe.optimiser.epsilon": "1e-8",
          "recipe.optimiser.lookahead.steps": "6",
          "recipe.optimiser.lookahead.alpha": "0.5",
          "recipe.batchSize": "2",
          "recipe.sampling": "shuffle",
        },
      },
    ]);
    const labels = ["--model", "m", "--labels", "labels.csv"];
    const unknown = await runCli(["train", ...labels, "--preset", "r2t", ...store], folder);
    expect(unknown.code).toBe(2);
    const message = expect.stringMatching(/no preset r2t; there are .*r2t-nsclc-plip, .*ro-abmil/u) as string;
    expect(unknown.records).toMatchObject([{ error: { message } }]);
  });

  it("lists every row of the labels table that means no bag, and trains nothing", async () => {
    await writeFile(join(folder, "wrong.csv"), "slide_id,label\nslide-0,normal\nslide-99,tumour\n");
    const store = ["--store", "file:own"];
    const { code, stderr } = await runCli(["train", "--model", "m", "--labels", "wrong.csv", ...store], folder);
    expect(code).toBe(1);
    expect(stderr).toContain('line 3: no bag of the project is of slide "slide-99"');
  });
});

interface Prediction {
  readonly probabilities: { readonly normal: number; readonly tumour: number };
  readonly decision: string;
  readonly threshold: number;
  readonly model: string;
}

const isSlide = (name: string) => (record: Record<string, unknown>) => record.slide === name;

describe("parfocal up", () => {
  let up: CliRun;
  let gateway: string;
  beforeAll(async () => {
    up = startCli(["up", "--port", "0", "--json", "--store", "file:served"], folder);
    const [line] = await up.waitFor(/\{"event":"ready".*\}/);
    ({ gateway } = JSON.parse(line) as { gateway: string });
  });
  afterAll(() => up.process.kill("SIGKILL"));

  it("serves commands of other processes, found by its store or by its address", async () => {
    const imported = await runCli(["import", "features", "--json", "--store", "file:served"], folder);
    expect([imported.code, imported.records.length]).toEqual([0, slides.length]);
    const listed = await runCli(["bags", "list", "--json", "--gateway", gateway], folder);
    expect(listed.records).toHaveLength(slides.length);
  });

  it("refuses a second gateway on the same store with exit code 3", async () => {
    const second = await runCli(["up", "--port", "0", "--json", "--store", "file:served"], folder);
    expect([second.code, second.records]).toMatchObject([3, [{ error: { code: "CONFLICT" } }]]);
  });

  it("cancels a training when its command is interrupted", async () => {
    const labels = ["--model", "long", "--labels", "labels.csv", "--epochs", "9000", ...TRAINING];
    const training = startCli(["train", ...labels, "--gateway", gateway], folder);
    await training.waitFor(/epoch \d+ of 9000/);
    training.process.kill("SIGINT");
    expect((await training.result()).code).toBe(130);
    const operations = await runCli(["operations", "list", "--json", "--gateway", gateway], folder);
    expect(operations.records).toMatchObject([{ verb: "train", done: true, error: { code: "CANCELLED" } }]);
  });

  it("gives the same operation for the same request id, and waits, shows and deletes it", async () => {
    const id = "5a1f2c34-7b1d-4f0e-9a54-0d0f6b1c2d3e";
    const labels = ["--model", "quick", "--labels", "labels.csv", "--epochs", "2", ...TRAINING];
    const accept = [...labels, "--no-wait", "--request-id", id, "--gateway", gateway, "--json"];
    const [first, second] = [await runCli(["train", ...accept], folder), await runCli(["train", ...accept], folder)];
    expect(second.records).toEqual(first.records);
    const operation = String(first.records[0]?.operation);
    const waited = await runCli(["operations", "wait", operation, "--gateway", gateway, "--json"], folder);
    expect([waited.code, waited.records]).toMatchObject([0, [{ done: true }]]);
    const deleted = await runCli(["operations", "delete", operation, "--gateway", gateway], folder);
    expect(deleted.code).toBe(0);
    const gone = await runCli(["operations", "get", operation, "--gateway", gateway, "--json"], folder);
    expect([gone.code, gone.records]).toMatchObject([1, [{ error: { code: "NOT_FOUND" } }]]);
  });

  it("stops in good order on SIGTERM and takes its address back", async () => {
    up.process.kill("SIGTERM");
    const { code } = await up.result();
    expect(code).toBe(0);
    expect(existsSync(join(folder, "served.gateway.json"))).toBe(false);
    const after = await runCli(["bags", "list", "--json", "--store", "file:served"], folder);
    expect([after.code, after.records.length]).toEqual([0, slides.length]);
  });
});

interface MagnifiedFile {
  readonly caveat: string;
  readonly mixer: { readonly history: readonly { readonly loss: number }[] };
  readonly models: readonly { readonly auroc: { readonly value: number | null } }[];
}

describe("parfocal demo", () => {
  it("goes the whole way and leaves a report, predictions, metrics and a heatmap per held-out slide", async () => {
    const { code, records, stderr } = await runCli(["demo", "--out", "demo", "--json"], folder);
    expect(stderr).not.toContain("demo:");
    expect(code).toBe(0);
    const last = records.at(-1) as { metrics: { auroc: { value: number } } };
    expect(last.metrics.auroc.value).toBeGreaterThan(0.8);
    const nHeldOut = (await readFile(join(folder, "demo/predictions.csv"), "utf8")).trimEnd().split("\r\n").length - 1;
    expect(await readdir(join(folder, "demo/heatmaps"))).toHaveLength(nHeldOut);
    const report = await readFile(join(folder, "demo/report.html"), "utf8");
    for (const part of ["<svg", "data:image/png;base64", "AUROC"]) expect(report).toContain(part);
    expect(report).not.toMatch(/(?:src|href)="https?:/);
    const magnified = JSON.parse(await readFile(join(folder, "demo/magnifications.json"), "utf8")) as MagnifiedFile;
    expect(magnified.caveat).toContain("nothing of the method's worth");
    expect(magnified.models.map(({ auroc }) => typeof auroc.value)).toEqual(["number", "number", "number"]);
    const losses = magnified.mixer.history.map(({ loss }) => loss);
    expect(losses.at(-1)).toBeLessThan((losses[0] ?? 0) * 0.9);
  });
});
