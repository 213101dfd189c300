import { mkdir, mkdtemp, readdir, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runBatch } from "../actions/batch.ts";
import { runCompareExperiment } from "../actions/compare-experiment.ts";
import { runCrossValidate } from "../actions/cross-validate.ts";
import { runPredict } from "../actions/predict.ts";
import { runTrainExperiment } from "../actions/train-experiment.ts";
import { UsageError } from "../exit-codes.ts";
import type { CommandContext } from "../run-command.ts";
import { createOutput } from "./output.ts";
import { assertFilePlace, assertFolderPlace } from "./output-places.ts";

const LONG = "n".repeat(300);

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "parfocal-places-"));
  await mkdir(join(folder, "there"));
  await writeFile(join(folder, "afile"), "");
  await symlink(join(folder, "afile"), join(folder, "link"));
  await writeFile(join(folder, "labels.csv"), "slide_id,label\ns1,a\ns2,b\n");
  const experiment = "name: tumour\ndata: {labels: labels.csv}\noutput: afile\n";
  await writeFile(join(folder, "exp.yaml"), experiment);
  const variants = "variants:\n  - {name: a}\n  - {name: b, model: {head: {kind: mean}}}\n";
  await writeFile(join(folder, "compare.yaml"), experiment + variants);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe("the place of a file", () => {
  it.each(["new.csv", "afile", "link", "there/new.csv"])("may be %s", async (name) => {
    await expect(assertFilePlace("--csv", join(folder, name))).resolves.toBeUndefined();
  });

  it("may be a device", async () => {
    await expect(assertFilePlace("--csv", "/dev/null")).resolves.toBeUndefined();
  });

  it.each([
    ["a folder", "there", "--csv <>/there is a folder; name a file"],
    ["a folder to be", "new/", "--csv <>/new/ is a folder; name a file"],
    ["in no folder", "none/deep/p.csv", "--csv <>/none/deep/p.csv: there is no folder <>/none/deep"],
    ["below a file", "afile/p.csv", "--csv <>/afile/p.csv: there is no folder <>/afile"],
    ["too long", LONG, `--csv <>/${LONG} cannot be written: name too long (ENAMETOOLONG)`],
  ])("is refused: %s", async (_, name, message) => {
    const error = await assertFilePlace("--csv", `${folder}/${name}`).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(UsageError);
    expect((error as Error).message).toBe(message.replaceAll("<>", folder));
  });
});

describe("the place of a folder", () => {
  it("may be made later, and is not made by the check", async () => {
    const before = await readdir(folder);
    for (const name of ["", "there", "new", "there/new/deep"])
      await expect(assertFolderPlace("--out", join(folder, name))).resolves.toBeUndefined();
    expect(await readdir(folder)).toEqual(before);
  });

  it.each(["afile", "link", "afile/deep/er"])("is refused where a file is: %s", async (name) => {
    const error = await assertFolderPlace("--out", join(folder, name)).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(UsageError);
    expect((error as Error).message).toMatch(/^--out .* cannot be a folder: .*(?:afile|link) is a file$/);
  });

  it("is refused where it is named by nothing", async () => {
    await expect(assertFolderPlace("--out", "")).rejects.toThrow(UsageError);
    await expect(assertFilePlace("--csv", "")).rejects.toThrow(UsageError);
  });
});

/** Of a command that may not come so far as to ask for a gateway. */
function contextWithoutGateway(): CommandContext {
  return {
    output: createOutput(false, { stdout: new PassThrough(), stderr: new PassThrough() }),
    signal: new AbortController().signal,
    ...{ project: "p", parent: "projects/p", env: {}, gateway: undefined },
    connect: () => Promise.reject(new Error("it asked for a gateway")),
    connectRunning: () => Promise.reject(new Error("it asked for a gateway")),
  };
}

describe("commands that write files", () => {
  const afile = () => join(folder, "afile");
  const batch = { models: ["m"], patientRule: "mean", wait: true } as const;
  it.each([
    ["batch --out", "--out", (c: CommandContext) => runBatch(c, "all.csv", { ...batch, out: afile() })],
    ["predict --csv", "--csv", (c: CommandContext) => runPredict(c, ["s"], { model: ["m"], csv: `${afile()}/p` })],
    ["predict --parquet", "--parquet", (c: CommandContext) => runPredict(c, ["s"], { model: ["m"], parquet: folder })],
    [
      "predict --heatmaps",
      "--heatmaps",
      (c: CommandContext) => runPredict(c, ["s"], { model: ["m"], heatmaps: afile() }),
    ],
    ["predict --geojson", "--geojson", (c: CommandContext) => runPredict(c, ["s"], { model: ["m"], geojson: afile() })],
    ["train -f", "output", (c: CommandContext) => runTrainExperiment(c, { file: join(folder, "exp.yaml") }, [])],
    ["crossval -f", "output", (c: CommandContext) => runCrossValidate(c, { file: join(folder, "exp.yaml") }, [])],
    ["crossval --out", "--out", (c: CommandContext) => runCrossValidate(c, { labels: "l.csv", out: afile() }, [])],
    ["compare -f", "output", (c: CommandContext) => runCompareExperiment(c, join(folder, "compare.yaml"), [], {})],
  ])("refuse a place that cannot be before any call: %s", async (_, option, run) => {
    const error = await run(contextWithoutGateway()).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(UsageError);
    expect((error as Error).message).toMatch(new RegExp(`^${option} ${folder}`));
  });

  it("need no place for a batch that nobody waits for", async () => {
    const run = runBatch(contextWithoutGateway(), "all.csv", { ...batch, wait: false, out: afile() });
    await expect(run).rejects.toThrow("it asked for a gateway");
  });
});
