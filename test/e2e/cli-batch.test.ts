import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { plantCohort } from "../lib/cohort.ts";
import { type CliRun, runCli, startCli } from "../lib/run-cli.ts";

const slides = plantCohort(20);

let folder: string;
let up: CliRun;
let run: (...args: string[]) => ReturnType<typeof runCli>;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "parfocal-cli-"));
  await mkdir(join(folder, "features"));
  for (const { fileName, bytes } of slides) await writeFile(join(folder, "features", fileName), bytes);
  const rows = slides.map(({ fileName, label, patient }) => `${fileName.replace(".npy", "")},${patient},${label}`);
  await writeFile(join(folder, "labels.csv"), `slide_id,patient_id,label\n${rows.join("\n")}\n`);
  await writeFile(
    join(folder, "manifest.csv"),
    `slide_id,patient_id\n${rows.join("\n").replace(/,[a-z]+$/gm, "")}\nlate,\n`,
  );
  up = startCli(["up", "--port", "0", "--json", "--store", "file:served"], folder);
  const [line] = await up.waitFor(/\{"event":"ready".*\}/);
  const { gateway } = JSON.parse(line) as { gateway: string };
  run = (...args) => runCli([...args, "--gateway", gateway, "--json"], folder);
  expect((await run("import", "features")).code).toBe(0);
  const trained = await run("train", "--model", "tumour", "--labels", "labels.csv", "--epochs", "2", "--hidden", "16");
  expect(trained.code, trained.stderr).toBe(0);
});
afterAll(async () => {
  up?.process.kill("SIGKILL");
  await rm(folder, { recursive: true, force: true });
});

describe("batches by the command line", () => {
  it("scores a manifest, fetches the results, and tries what failed again", async () => {
    const first = await run("batch", "manifest.csv", "--models", "tumour", "--out", "first");
    expect(first.code, first.stderr).toBe(1);
    const told = first.records.at(-1);
    expect(told).toMatchObject({ rowCount: 21, scoredCount: 20, failedCount: 1, patientCount: 11 });
    expect(told?.files).toEqual(
      ["predictions", "patients", "failures"].flatMap((name) =>
        ["csv", "jsonl", "parquet"].map((ending) => join("first", `${name}.${ending}`)),
      ),
    );
    const failures = await readFile(join(folder, "first/failures.jsonl"), "utf8");
    expect(JSON.parse(failures)).toMatchObject({ line: 22, named: "late", code: "NOT_FOUND" });

    await writeFile(join(folder, "late.npy"), plantCohort(1, 99n)[0]!.bytes);
    expect((await run("import", "late.npy")).code).toBe(0);
    const again = await run("batch", "--retry", String(told?.operation).split("/").at(-1)!, "--out", "second");
    expect(again.code, again.stderr).toBe(0);
    const [before, after] = await Promise.all(
      ["first", "second"].map((name) => readFile(join(folder, name, "predictions.csv"), "utf8")),
    );
    expect(after!.split("\r\n").slice(0, 21)).toEqual(before!.split("\r\n").slice(0, 21));
  });

  it("leaves the files of before and names the batch when the results cannot be written", async () => {
    await mkdir(join(folder, "blocked/failures.csv"), { recursive: true });
    await writeFile(join(folder, "blocked/predictions.csv"), "old");
    const failed = await run("batch", "manifest.csv", "--models", "tumour", "--out", "blocked");
    expect(failed.code, failed.stderr).toBe(1);
    expect(failed.records.at(-1)).toMatchObject({ error: { code: "PRECONDITION_FAILED" } });
    expect((await readdir(join(folder, "blocked"))).sort()).toEqual(["failures.csv", "predictions.csv"]);
    expect(await readFile(join(folder, "blocked/predictions.csv"), "utf8")).toBe("old");
    const [, operation = ""] = /parfocal batch --retry ([0-9a-f]+) fetches them/.exec(failed.stderr) ?? [];
    const fetched = await run("batch", "--retry", operation, "--out", "fetched");
    expect(fetched.records.at(-1), fetched.stderr).toMatchObject({ rowCount: 21 });
  });

  it("offers no retry of a batch that ended before it had read its manifest", async () => {
    await writeFile(join(folder, "heading.csv"), "slide_id\n");
    const failed = await run("batch", "heading.csv", "--models", "tumour");
    expect(failed.records.at(-1)).toMatchObject({ error: { code: "INVALID_ARGUMENT" } });
    expect(failed.stderr).not.toContain("--retry");
  });

  it("says how it is used", async () => {
    expect((await run("batch", "manifest.csv")).code).toBe(2);
    expect((await run("batch", "--models", "tumour")).code).toBe(2);
    expect((await run("batch", "none.csv", "--models", "tumour")).code).toBe(2);
    expect((await run("batch", "manifest.csv", "--retry", "x")).code).toBe(2);
  });
});
