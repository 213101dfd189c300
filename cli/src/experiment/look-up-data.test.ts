import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadExperiment } from "./load-experiment.ts";
import { ExperimentError } from "./problem.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "look-up-"));
  const tables = {
    "labels.csv": "slide_id,patient_id,Label,hospital,fold,age\ns1,p1,a,x,0,3\ns2,p2,b,y,1,4\n",
    "times.csv": "slide_id,months,died\ns1,3,1\ns2,4,0\n",
    "slides.csv": "PATIENT,FILENAME\np1,s1\n",
    "nobody.csv": "SUBJECT,label\np1,a\n",
    "twice.csv": "PATIENT,label\np1,a\np1,b\n",
    "train.csv": ",train,test\n0,s1,s2\n",
    "wrong.csv": ",training,test\n0,s1,s2\n",
    "empty.csv": "slide_id,label\n",
  };
  for (const [name, text] of Object.entries(tables)) await writeFile(join(folder, name), text);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Every problem of an experiment whose third line is `data` as it is given, without the folder's path. */
async function problemsOf(data: string, { more = "", overrides = [] as readonly string[] } = {}): Promise<string[]> {
  const file = join(folder, "exp.yaml");
  await writeFile(file, `name: a\ndata:\n  ${data.replaceAll("\n", "\n  ")}\n${more}`);
  try {
    await loadExperiment(file, overrides);
  } catch (error) {
    if (error instanceof ExperimentError) return error.message.replaceAll(`${folder}/`, "").split("\n");
    throw error;
  }
  return [];
}

describe("paths of an experiment", () => {
  it("are all told where they lead nowhere, each with its place", async () => {
    const data = "labels: label.csv\nclinical: clinic.csv\nsplits: [train.csv, none.csv]\nfiles: [tiles, labels.csv]";
    expect(await problemsOf(data)).toEqual([
      "exp.yaml:3:11: data.labels: the labels table label.csv cannot be read (ENOENT)",
      "exp.yaml:4:13: data.clinical: the clinical table clinic.csv cannot be read (ENOENT)",
      "exp.yaml:5:23: data.splits[1]: the splits table none.csv cannot be read (ENOENT)",
      "exp.yaml:6:11: data.files[0]: there is no file or folder tiles",
    ]);
  });

  it("may be given by themselves where there may be several, or be a folder where a file is meant", async () => {
    expect(await problemsOf("labels: .\nsplits: none.csv\nfiles: tiles")).toEqual([
      expect.stringMatching(/^exp\.yaml:3:11: data\.labels: the labels table .* cannot be read \(EISDIR\)$/) as string,
      "exp.yaml:4:11: data.splits: the splits table none.csv cannot be read (ENOENT)",
      "exp.yaml:5:10: data.files: there is no file or folder tiles",
    ]);
  });

  it("are told by the override that says them, beside values out of their bounds", async () => {
    const overrides = ["data.labels=gone.csv"];
    expect(await problemsOf("labels: labels.csv", { more: "recipe: {epochs: 0}\n", overrides })).toEqual([
      "exp.yaml:4:18: recipe.epochs is 0; it must be a whole number from 1 to 10000",
      "exp.yaml: override data.labels=gone.csv: data.labels: the labels table gone.csv cannot be read (ENOENT)",
    ]);
  });
});

describe("columns of an experiment", () => {
  const HEADING = "slide_id, patient_id, Label, hospital, fold, age";

  it("are all told that the table lacks, with those that it has and the one that was meant", async () => {
    expect(await problemsOf("labels: labels.csv\nlabel_column: lable\nsite_column: hospitals")).toEqual([
      `exp.yaml:4:17: data.label_column: the labels table has no column lable, only ${HEADING}; did you mean Label?`,
      `exp.yaml:5:16: data.site_column: the labels table has no column hospitals, only ${HEADING}; did you mean hospital?`,
    ]);
    expect(await problemsOf("labels: labels.csv\nfold_column: zzz")).toEqual([
      `exp.yaml:4:16: data.fold_column: the labels table has no column zzz, only ${HEADING}`,
    ]);
  });

  it("are told one by one where there are several", async () => {
    const more = "task: {kind: regression}\n";
    expect(await problemsOf("labels: labels.csv\nlabel_column: [age, size]", { more })).toEqual([
      `exp.yaml:4:23: data.label_column[1]: the labels table has no column size, only ${HEADING}`,
    ]);
    expect(await problemsOf("labels: labels.csv\nlabel_column: age,size", { more })).toEqual([
      `exp.yaml:4:17: data.label_column: the labels table has no column size, only ${HEADING}`,
    ]);
    expect((await problemsOf("labels: labels.csv\nlabel_column: [age, fold]"))[0]).toMatch(
      /^exp\.yaml:4:17: data\.label_column: the label column "age,fold" is 2 columns/,
    );
  });

  it("are those of times and events where these are learnt, and others are not looked for", async () => {
    const only = "only slide_id, months, died";
    expect(await problemsOf("labels: times.csv\ntime_column: month\nevent_column: dead\nlabel_column: none")).toEqual([
      `exp.yaml:4:16: data.time_column: the labels table has no column month, ${only}; did you mean months?`,
      `exp.yaml:5:17: data.event_column: the labels table has no column dead, ${only}`,
    ]);
    expect(await problemsOf("labels: times.csv\nevent_column: died")).toEqual([]);
  });

  it("that nobody named are missed at the table", async () => {
    expect(await problemsOf("labels: times.csv")).toEqual([
      "exp.yaml:3:11: data.labels: the labels table has no column label, only slide_id, months, died; --label-column (data.label_column) names another one",
    ]);
  });
});

describe("tables of an experiment", () => {
  it.each([
    ["labels: empty.csv", "3:11: data.labels: the labels table has no rows"],
    ["labels: slides.csv\nclinical: nobody.csv", "4:13: data.clinical: the clinical table has no column patient_id"],
    ["labels: slides.csv\nclinical: twice.csv", "4:13: data.clinical: lines 2 and 3 of the clinical table are of one"],
    ["labels: times.csv\nclinical: twice.csv", "3:11: data.labels: the labels table has no column patient_id"],
    ["labels: labels.csv\nsplits: wrong.csv", "4:11: data.splits: the splits table has no column train"],
    ["labels: labels.csv\nsplits: [wrong.csv, train.csv]", "4:12: data.splits[0]: the splits table wrong.csv has no"],
  ])("are told where they cannot be read: %j", async (data, message) => {
    const [problem, ...others] = await problemsOf(data);
    expect(problem).toContain(`exp.yaml:${message}`);
    expect(others).toEqual([]);
  });

  it("are taken where they can be", async () => {
    expect(await problemsOf("labels: labels.csv\nsplits: train.csv\nfiles: .")).toEqual([]);
    expect(await problemsOf("labels: from-bags")).toEqual([]);
  });
});
