import { describe, expect, it } from "vitest";
import { HEADS, REEMBEDDERS } from "../cohort/architecture-options.ts";
import { exampleExperiment } from "./example-experiment.ts";
import { experimentJsonSchema } from "./experiment-schema.ts";
import { parseExperiment } from "./parse-experiment.ts";
import { ExperimentError } from "./problem.ts";

const SMALL = "name: tumour\ndata: {labels: labels.csv}\n";

function problemsOf(text: string, overrides: readonly string[] = []): string[] {
  try {
    parseExperiment(text, "exp.yaml", overrides);
  } catch (error) {
    if (error instanceof ExperimentError) return error.message.split("\n");
    throw error;
  }
  return [];
}

describe("an experiment file", () => {
  it("fills in what is left out, and counts paths from its own folder", () => {
    const { experiment } = parseExperiment(SMALL, "/study/exp.yaml");
    expect(experiment).toEqual({
      name: "tumour",
      data: { labels: "/study/labels.csv", files: [] },
      folds: 5,
      repeats: 1,
      model: {},
      sections: {},
      seeds: [1n],
      heatmaps: 12,
      output: "/study/results/tumour",
    });
  });

  it("takes one value where there may be several, whole numbers as names, and seeds of 64 bits", () => {
    const text =
      "name: a\ndata: {labels: from-bags, files: tiles}\ntask: {classes: [0, 1]}\nseeds: 18446744073709551615\n";
    const { experiment } = parseExperiment(text, "/study/exp.yaml");
    expect(experiment.data).toEqual({ labels: "from-bags", files: ["/study/tiles"] });
    expect(experiment.task).toEqual({ classes: ["0", "1"] });
    expect(experiment.seeds).toEqual([18446744073709551615n]);
  });

  it("takes one column of labels and one splits file, or several", () => {
    const dataOf = (data: string) => parseExperiment(`name: a\ndata: {labels: l.csv, ${data}}\n`, "/s/exp.yaml").experiment.data; // biome-ignore format: one line
    expect(dataOf("label_column: [KRAS, TP53]").labelColumn).toBe("KRAS,TP53");
    expect(dataOf('label_column: "KRAS, TP53"').labelColumn).toBe("KRAS, TP53");
    expect(dataOf("splits: s/splits_0.csv").splits).toEqual(["/s/s/splits_0.csv"]);
    expect(dataOf("splits: [a.csv, b.csv]").splits).toEqual(["/s/a.csv", "/s/b.csv"]);
    expect(dataOf("fold_column: fold")).toMatchObject({ foldColumn: "fold" });
    expect(problemsOf("name: a\ndata:\n  labels: l.csv\n  label_column: [KRAS, {a: 1}]\n  splits: []\n")).toEqual([
      'exp.yaml:4:24: data.label_column[1] is {"a":1}; it is text that is not empty',
      "exp.yaml:5:11: data.splits is []; it is a path, or a list of paths",
    ]);
  });

  it.each([
    ["{labels: l.csv, fold_column: f}", "split: {folds: 5}", "split.folds is 5; the folds are those of the column f"],
    ["{labels: l.csv, splits: [a, b]}", "split: {repeats: 2}", "split.repeats is 2; the folds of the splits files are"],
    ["{labels: l.csv, fold_column: f, site_column: s}", "", 'data.site_column is "s"; the folds are those of'],
    ["{labels: l.csv, fold_column: f, splits: a}", "", "data.splits is beside a column of folds; give one"],
    ["{labels: from-bags, fold_column: f}", "", "data.labels is from-bags; folds take a labels table"],
  ])("refuses folds that data %s give, beside %s", (data, more, message) => {
    const [problem, ...others] = problemsOf(`name: a\ndata: ${data}\n${more}\n`);
    expect(problem).toMatch(/^exp\.yaml:[23]:\d+: /);
    expect(problem).toContain(message);
    expect(others).toEqual([]);
  });

  it("takes repeats of one beside such folds, and names the override that says otherwise", () => {
    const text = "name: a\ndata: {labels: l.csv, fold_column: f}\nsplit: {repeats: 1}\n";
    expect(problemsOf(text)).toEqual([]);
    expect(problemsOf(text, ["split.folds=10"])[0]).toContain("override split.folds=10: split.folds is 10; the folds");
  });

  it("tells all that is wrong at once, each with its line and column and the name that was meant", () => {
    const text = `name: tumour
data:
  labels: labels.csv
  file: [a]
model:
  head:
    kind: gated-abmil
    attention_widht: 128
    trunk: {hidden: [512, x], dropout: "0.2"}
  reembed:
    kind: r2d
recipe:
  epochs: ten
  optimiser:
    kind: adamm
  early_stopping: {patience: 1.5, q: 1}
seeds: [1, -2]
treshold: 1
`;
    expect(problemsOf(text)).toEqual([
      "exp.yaml:4:3: data has no file; did you mean files?",
      "exp.yaml:8:5: model.head has no attention_widht; did you mean attention_width?",
      'exp.yaml:9:27: model.head.trunk.hidden[1] is "x"; it is a whole number',
      'exp.yaml:9:40: model.head.trunk.dropout is "0.2"; it is a number',
      expect.stringMatching(/^exp\.yaml:11:11: model\.reembed\.kind is "r2d"; .*; did you mean r2t\?$/) as string,
      'exp.yaml:13:11: recipe.epochs is "ten"; it is a whole number',
      expect.stringMatching(
        /^exp\.yaml:15:11: recipe\.optimiser\.kind is "adamm"; it is one of adam, .*adam\?$/,
      ) as string,
      "exp.yaml:16:30: recipe.early_stopping.patience is 1.5; it is a whole number",
      "exp.yaml:16:35: recipe.early_stopping has no q; it has patience, min_epochs, metric",
      "exp.yaml:17:12: seeds[1] is -2; it is a whole number from 0 to below 2^64",
      "exp.yaml:18:1: an experiment has no treshold; did you mean threshold?",
    ]);
  });

  it("refuses a seed that is given twice, as its results would be written over", () => {
    const rest = "each seed is given once, its results have a folder of their own";
    expect(problemsOf(`${SMALL}seeds: [1, 2, 1, "2"]\n`)).toEqual([
      `exp.yaml:3:15: seeds[2] is 1, as is seeds[0]; ${rest}`,
      `exp.yaml:3:18: seeds[3] is 2, as is seeds[1]; ${rest}`,
    ]);
    expect(problemsOf(SMALL, ["seeds=[7, 7]"])).toEqual([
      `exp.yaml: override seeds=[7, 7]: seeds[1] is 7, as is seeds[0]; ${rest}`,
    ]);
    expect(problemsOf(`${SMALL}seeds: [1, 2, 3]\n`)).toEqual([]);
  });

  it("points at the group that lacks a value", () => {
    expect(problemsOf("name: a\ndata:\n  files: [x]\n")).toEqual([
      "exp.yaml:2:1: data.labels is missing; it is the path of a labels table, or from-bags",
    ]);
    expect(problemsOf("name: a\ndata: {labels: l.csv}\nmodel:\n  head:\n    attention_width: 3\n")).toEqual([
      expect.stringMatching(/^exp\.yaml:4:3: model\.head\.kind is missing; it is one of mean, max, /) as string,
    ]);
  });

  it.each([
    ["a bracket that is open", "a: [1\nb: 2", "exp.yaml:2:1: "],
    ["a name given twice", "name: a\nname: b", "exp.yaml:2:1: Map keys must be unique"],
    ["a list for a file", "- name", "exp.yaml:1:1: the file is "],
    ["tabs", "data:\n\tlabels: x", "exp.yaml:2:1: "],
  ])("tells where %s is", (_, text, beginning) => {
    expect(problemsOf(text)[0]?.slice(0, beginning.length)).toBe(beginning);
  });

  it("refuses aliases that multiply", () => {
    const levels = Array.from({ length: 9 }, (_, i) => `a${i + 1}: &a${i + 1} [${`*a${i},`.repeat(9)}]`);
    const text = `a0: &a0 [x]\n${levels.join("\n")}\n`;
    expect(problemsOf(text)).toEqual([expect.stringContaining("alias") as string]);
  });
});

describe("overrides", () => {
  const modelOf = (overrides: readonly string[]) =>
    parseExperiment(`${SMALL}model: {head: {kind: abmil, attention_width: 64}}\n`, "exp.yaml", overrides).experiment
      .model;

  it("win over the file, one after the other, in any usual spelling of the names", () => {
    expect(modelOf(["model.head.attentionWidth=128", "model.head.attention-width=32"])).toEqual({
      head: { kind: "abmil", attention_width: 32 },
    });
    expect(modelOf(["model.head.trunk.hidden=[8, 4]"])).toEqual({
      head: { kind: "abmil", attention_width: 64, trunk: { hidden: [8, 4] } },
    });
  });

  it("take a value out when there is nothing behind the equals sign", () => {
    expect(modelOf(["model.head.attention_width="])).toEqual({ head: { kind: "abmil" } });
  });

  it("make a group anew when they change its kind", () => {
    expect(modelOf(["model.head.kind=clam-sb", "model.head.instances=4"])).toEqual({
      head: { kind: "clam-sb", instances: 4 },
    });
    expect(modelOf(["model.head.kind=abmil"])).toEqual({ head: { kind: "abmil", attention_width: 64 } });
  });

  it("are named when they are what is wrong", () => {
    expect(problemsOf(SMALL, ["recipe.epoch=3", "seeds=[1, x]"])).toEqual([
      "exp.yaml: override recipe.epoch=3: recipe has no epoch; did you mean epochs?",
      'exp.yaml: override seeds=[1, x]: seeds[1] is "x"; it is a whole number from 0 to below 2^64',
    ]);
  });

  it.each(["recipe.epochs", "=3", "a..b=3", "name.x=1"])("refuse %s", (text) => {
    expect(() => parseExperiment(SMALL, "exp.yaml", [text])).toThrow(`override "${text}"`);
  });
});

describe("the example", () => {
  it("is an experiment, with every remark taken out as well", async () => {
    const text = exampleExperiment("her2");
    expect(parseExperiment(text, "/study/her2.yaml").experiment).toMatchObject({ name: "her2", folds: 5, seeds: [1n] });
    // What stands behind a hash and looks like a value is one.
    const whole = text.replaceAll(/^(\s*)# (\s*(?:[a-z_]+):(?: .*)?)$/gm, "$1$2");
    for (const name of ["groups: #", "variants: ["]) expect(whole).toContain(`\n${name}`);
    expect(parseExperiment(whole, "/study/her2.yaml").experiment).toMatchObject({
      preset: "r2t-camelyon16-r50",
      task: { kind: "binary" },
      sections: {
        groups: { kind: "joined" },
        recipe: { early_stopping: { patience: 10 }, class_weights: "balanced" },
      },
    });
  });

  it("lists every kind of head and re-embedder", () => {
    const text = exampleExperiment("a");
    for (const kind of [...HEADS, ...REEMBEDDERS]) expect(text).toContain(kind);
  });
});

describe("the JSON Schema", () => {
  it("knows the names, types and words that the reader knows", () => {
    const schema = experimentJsonSchema() as { properties: Record<string, { properties: Record<string, unknown> }> };
    expect(schema).toMatchObject({ type: "object", additionalProperties: false, required: ["name", "data"] });
    expect(Object.keys(schema.properties.recipe?.properties ?? {})).toContain("early_stopping");
    const heads = schema.properties.model?.properties.head as { oneOf: { properties: { kind: { const: string } } }[] };
    expect(heads.oneOf.map(({ properties }) => properties.kind.const)).toEqual([...HEADS]);
  });
});
