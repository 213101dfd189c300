import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { encodeNpy } from "../lib/npy.ts";
import { type CliRun, runCli, startCli } from "../lib/run-cli.ts";
import { encodeTorchFile, type TorchEntry } from "../lib/torch-file.ts";

type Tensors = ReadonlyMap<string, TorchEntry>;

/** The specification's filler, exact in doubles. */
function filler(shape: readonly number[], seed: number, scale: number): TorchEntry {
  const size = shape.reduce((product, dim) => product * dim, 1);
  const value = (k: number) => ((31 * k * k + 7919 * k + 104_729 * seed + 13) % 1009) / 1009 - 0.5;
  return { shape, values: Float32Array.from({ length: size }, (_, k) => scale * value(k)) };
}

/** The DSMIL aggregator of check F12. */
const DSMIL: Tensors = new Map([
  ["i_classifier.fc.0.weight", filler([2, 4], 200, 0.5)],
  ["i_classifier.fc.0.bias", filler([2], 201, 0.5)],
  ["b_classifier.q.0.weight", filler([128, 4], 202, 0.5)],
  ["b_classifier.q.0.bias", filler([128], 203, 0.5)],
  ["b_classifier.q.2.weight", filler([128, 128], 204, 0.5)],
  ["b_classifier.q.2.bias", filler([128], 205, 0.5)],
  ["b_classifier.fcc.weight", filler([2, 2, 4], 206, 0.5)],
  ["b_classifier.fcc.bias", filler([2], 207, 0.5)],
]);

const [D, C] = [6, 16];

/** A small R2T checkpoint whose pooling has no bias. */
const R2T: Tensors = new Map(
  Object.entries({
    "patch_to_emb.0.weight": [C, D],
    "patch_to_emb.0.bias": [C],
    "online_encoder.layers.0.norm.weight": [C],
    "online_encoder.layers.0.norm.bias": [C],
    "online_encoder.layers.0.attn.attn.qkv.weight": [3 * C, C],
    "online_encoder.layers.0.attn.attn.qkv.bias": [3 * C],
    "online_encoder.layers.0.attn.attn.proj.weight": [C, C],
    "online_encoder.layers.0.attn.attn.proj.bias": [C],
    "online_encoder.layers.0.attn.attn.pe.weight": [2, 1, 5, 1],
    "online_encoder.layers.0.attn.attn.pe.bias": [2],
    "online_encoder.cr_msa.norm.weight": [C],
    "online_encoder.cr_msa.norm.bias": [C],
    "online_encoder.cr_msa.attn.phi": [C, 3],
    "online_encoder.cr_msa.attn.attn.qkv.weight": [3 * C, C],
    "online_encoder.cr_msa.attn.attn.qkv.bias": [3 * C],
    "online_encoder.cr_msa.attn.attn.proj.weight": [C, C],
    "online_encoder.cr_msa.attn.attn.proj.bias": [C],
    "online_encoder.norm.weight": [C],
    "online_encoder.norm.bias": [C],
    "pool_fn.attention.attention.0.weight": [8, C],
    "pool_fn.attention.attention.2.weight": [1, 8],
    "predictor.weight": [2, C],
    "predictor.bias": [2],
  }).map(([name, shape], i): [string, TorchEntry] => [name, filler(shape, i, 1)]),
);
const R2T_SETTINGS = ["--set", "n_heads=2", "--set", "crmsa_heads=1"];

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "parfocal-cli-"));
  const write = (name: string, tensors: Tensors) => writeFile(join(folder, name), encodeTorchFile(tensors));
  await write("dsmil.pt", DSMIL);
  await write("r2t.pt", R2T);
  await write("missing.pt", new Map([...R2T].filter(([name]) => name !== "online_encoder.norm.bias")));
  await write("wrong.pt", new Map([...R2T, ["predictor.bias", filler([3], 1, 1)]]));
  await writeFile(join(folder, "slide.npy"), encodeNpy([5, 4], filler([5, 4], 9, 2).values));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const STORE = ["--store", "file:own", "--json"];

async function filesBelow(path: string): Promise<string[]> {
  const entries = await readdir(join(folder, path), { recursive: true, withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isFile()).map(({ name }) => name);
}

describe("parfocal models import, with services of its own", () => {
  it("makes a model of a file, which predicts what the original predicts (check F12)", async () => {
    const imported = await runCli(["models", "import", "dsmil.pt", "--name", "dsmil", ...STORE], folder);
    expect(imported.code, imported.stderr).toBe(0);
    expect(imported.records.at(-1)).toMatchObject({
      layout: "dsmil",
      settings: [{ name: "decision", value: "bag", isDefault: true }],
      reembedder: "",
      head: "dsmil",
      features: 4,
      classes: ["0", "1"],
      config: { head: { kind: "dsmil", queryWidth: 128, value: "identity" }, task: { link: "sigmoid" } },
    });
    // Nothing stays behind but the package.
    expect(await filesBelow("own/uploads")).toEqual([]);

    await runCli(["import", "slide.npy", ...STORE], folder);
    const predicted = await runCli(["predict", "--model", "dsmil", "slide", ...STORE], folder);
    const { probabilities } = predicted.records.at(-1) as { probabilities: Record<string, number> };
    const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
    expect(probabilities["0"]).toBeCloseTo(sigmoid(-0.09237508), 6);
    expect(probabilities["1"]).toBeCloseTo(sigmoid(-0.225386), 6);
  });

  it("shows what it read of an R2T checkpoint and which settings were defaults", async () => {
    const args = [
      "models",
      "import",
      "r2t.pt",
      "--name",
      "r2t",
      ...R2T_SETTINGS,
      "--classes",
      "no,yes",
      "--encoder",
      "e",
    ];
    const { code, records, stderr } = await runCli([...args, ...STORE], folder);
    expect(code, stderr).toBe(0);
    const last = records.at(-1) as { model: string; settings: { name: string; value: string; isDefault: boolean }[] };
    expect(last).toMatchObject({
      reembedder: "r2t",
      head: "abmil",
      features: D,
      parameters: [...R2T.values()].reduce((sum, { values }) => sum + values.length, 0),
      classes: ["no", "yes"],
      config: { reembed: { heads: 2, crmsaHeads: 1, crmsaK: 3, epegKernel: 5 }, head: { attentionBias: false } },
    });
    expect(last.settings.map(({ name, value, isDefault }) => [name, value, isDefault])).toEqual([
      ["act", "relu", true],
      ["all_shortcut", "false", true],
      ["crmsa_heads", "1", false],
      ["da_act", "tanh", true],
      ["min_region_num", "0", true],
      ["min_region_ratio", "0", true],
      ["n_heads", "2", false],
      ["region_num", "8", true],
      ["region_size", "0", true],
    ]);
    const shown = await runCli(["models", "get", "r2t", "--store", "file:own"], folder);
    expect(shown.stdout).toMatch(/reembed\.crmsaHeads +1\n/u);
    expect(shown.stdout).toMatch(/made of +a r2t checkpoint, [0-9a-f]{64}\n/u);
  });
});

describe("parfocal models import, with a gateway elsewhere", () => {
  let up: CliRun;
  let gateway: string;
  beforeAll(async () => {
    up = startCli(["up", "--port", "0", "--json", "--store", "file:served"], folder);
    const [line] = await up.waitFor(/\{"event":"ready".*\}/);
    ({ gateway } = JSON.parse(line) as { gateway: string });
  });
  afterAll(async () => {
    up.process.kill("SIGTERM");
    await up.result();
  });

  it("sends the file", async () => {
    const args = ["models", "import", "dsmil.pt", "--name", "dsmil", "--gateway", gateway, "--json"];
    const { code, records } = await runCli(args, folder);
    expect([code, records.at(-1)]).toMatchObject([0, { layout: "dsmil" }]);
  });

  it.each([
    ["an unknown setting", "r2t.pt", [...R2T_SETTINGS, "--set", "crmsa_head=1"], 1, /crmsa_head is "1".*crmsa_heads/u],
    ["a setting out of its bounds", "r2t.pt", ["--set", "da_act=elu"], 1, /da_act is "elu".*tanh, relu, gelu/u],
    ["a missing tensor", "missing.pt", R2T_SETTINGS, 1, /no tensor online_encoder\.norm\.bias/u],
    ["a wrong shape", "wrong.pt", R2T_SETTINGS, 1, /predictor\.bias of the checkpoint is \[3\], not \[2\]/u],
    ["classes that are too few", "r2t.pt", [...R2T_SETTINGS, "--classes", "a,b,c"], 1, /2 outputs; the task needs 3/u],
    ["a file that is not there", "nowhere.pt", [], 2, /no file nowhere\.pt/u],
    ["a setting without a value", "r2t.pt", ["--set", "n_heads"], 2, /not name=value/u],
  ])("ends with a named error for %s", async (_what, file, options, expected, message) => {
    const { code, records } = await runCli(
      ["models", "import", file, "--name", "bad", ...options, "--gateway", gateway, "--json"],
      folder,
    );
    const { error } = records.at(-1) as { error: { message: string } };
    expect(error.message).toMatch(message);
    expect(code).toBe(expected);
  });

  it("names a file in place that the gateway may not read", async () => {
    const uri = pathToFileURL(join(folder, "dsmil.pt")).href;
    const args = ["models", "import", uri, "--name", "dsmil", "--gateway", gateway, "--json"];
    const message = expect.stringMatching(/below no import root \(none is configured\)/u) as string;
    expect((await runCli(args, folder)).records).toMatchObject([{ error: { code: "FORBIDDEN", message } }]);
  });
});
