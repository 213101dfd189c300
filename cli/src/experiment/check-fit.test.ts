import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { checkExperiment } from "../actions/experiment.ts";
import type { GatewayClients } from "../client/clients.ts";
import { createOutput } from "../output/output.ts";
import type { CommandContext } from "../run-command.ts";
import { loadExperiment } from "./load-experiment.ts";
import { prepareExperiment } from "./prepare-experiment.ts";

// What 'experiment check' finds of settings that do not go with the task, the head or the table.

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "check-fit-"));
  const tables = {
    "two.csv": "slide_id,label\ns1,a\ns2,b\n",
    "several.csv": "slide_id,label\ns1,a;b\ns2,b\n",
    "times.csv": "slide_id,time,event\ns1,3,1\ns2,4,0\n",
    "folds.csv": "slide_id,label,round\ns1,a,0\ns2,b,1\ns3,b,2\n",
    "k3.csv": "slide_id,fold_0,fold_1,fold_2\ns1,test,train,train\ns2,train,test,train\ns3,train,train,test\n",
    "sites.csv": "slide_id,patient_id,label,site\ns1,Ada,a,Bern\ns2,Eve,b,Graz\ns3,Ada,a,Graz\n",
  };
  for (const [name, text] of Object.entries(tables)) await writeFile(join(folder, name), text);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

function contextWith(stdout: PassThrough): CommandContext {
  return {
    output: createOutput(false, { stdout, stderr: new PassThrough() }),
    signal: new AbortController().signal,
    ...{ project: "p", parent: "projects/p", env: {}, gateway: undefined },
    connect: () => Promise.reject(new Error("it started a gateway")),
    connectRunning: () => Promise.resolve(undefined),
  };
}

/** What checking says of a file that has `text` below the name, without the folder's path. */
async function check(text: string): Promise<string> {
  const file = join(folder, "exp.yaml");
  await writeFile(file, `name: a\n${text}`);
  const stdout = new PassThrough();
  const error = await checkExperiment(contextWith(stdout), file, []).then(
    () => undefined,
    ({ message }: Error) => message,
  );
  const said = error ?? (stdout.read() as Buffer).toString().trimEnd();
  return said.replaceAll(`${folder}/`, "");
}

describe("checking settings that do not go together", () => {
  const SEVERAL = "data: {labels: several.csv}\n";

  it.each([
    ["sampling", "recipe: {sampling: balanced}", "3:20: recipe.sampling is balanced; a multilabel task takes shuffle"],
    [
      "groups",
      "groups: {kind: min-loss}",
      "3:16: groups.kind is min-loss, which takes a binary task; this one is multilabel",
    ],
  ])("tells %s that the task which the labels make does not take", async (_, text, message) => {
    expect(await check(`${SEVERAL}${text}\n`)).toBe(`exp.yaml:${message}`);
    expect(await check(`data: {labels: two.csv}\n${text}\n`)).toBe("exp.yaml: 1 training of a, or 5 folds");
  });

  it("goes by the file's task before the labels'", async () => {
    const text = "data: {labels: two.csv}\ntask: {kind: multilabel}\nrecipe: {sampling: balanced}\n";
    expect(await check(text)).toBe("exp.yaml:4:20: recipe.sampling is balanced; a multilabel task takes shuffle");
  });

  it("tells several at once, early stopping by its place", async () => {
    const recipe = "recipe:\n  label_smoothing: 0.1\n  early_stopping: {metric: auroc, patience: 3}\n";
    expect((await check(`data: {labels: times.csv}\n${recipe}`)).split("\n")).toEqual([
      "exp.yaml:4:20: recipe.label_smoothing is 0.1; a survival task takes 0",
      expect.stringMatching(
        /^exp\.yaml:5:28: recipe\.early_stopping\.metric is auroc; a survival task takes /,
      ) as string,
    ]);
  });

  it.each(["mean", "max"])("tells %s of groups beside a head that does not take it, in a variant too", async (kind) => {
    const own = `data: {labels: two.csv}\ngroups: {kind: ${kind}}\n`;
    const message = `groups.kind is ${kind}; the head clam sorts the tiles of each bag by its label, so it takes none, min-loss or joined`;
    expect(await check(`${own}model: {head: {kind: clam-mb}}\n`)).toBe(`exp.yaml:3:16: ${message}`);
    const variants = "variants:\n  - name: one\n  - {name: two, model: {head: {kind: clam-sb}}}\n";
    expect(await check(`${own}${variants}`)).toBe(`exp.yaml:3:16: variant two: ${message}`);
  });

  it("calls the value of a rule for thresholds as the file would", async () => {
    expect(await check("data: {labels: two.csv}\nthreshold: {kind: sensitivity}\n")).toBe(
      "exp.yaml:3:12: threshold.value is 0; it must be a number from 0.000001 to 1",
    );
  });
});

describe("checking folds and sites of a table", () => {
  it("tells how many folds the table gives", async () => {
    const folds = "exp.yaml: 1 training of a, or 3 folds";
    expect(await check("data: {labels: folds.csv, fold_column: round}\n")).toBe(folds);
    expect(await check("data: {labels: folds.csv, splits: k3.csv}\n")).toBe(folds);
    expect(await check("data: {labels: folds.csv}\n")).toBe("exp.yaml: 1 training of a, or 5 folds");
  });

  const SITES = "data: {labels: sites.csv, site_column: site}\n";
  const DIVIDED =
    "exp.yaml:2:40: data.site_column: lines 2 and 4 of the labels table are of one patient and of two sites; a patient is of one";

  it("tells a patient of two sites", async () => {
    expect(await check(SITES)).toBe(DIVIDED);
  });

  it("does so before a cross-validation looks anything up", async () => {
    await check(SITES);
    const runnable = await loadExperiment(join(folder, "exp.yaml"), []);
    const context = contextWith(new PassThrough());
    const prepared = prepareExperiment(context, {} as GatewayClients, runnable, { hasFolds: true });
    await expect(prepared).rejects.toThrow(DIVIDED);
  });
});
