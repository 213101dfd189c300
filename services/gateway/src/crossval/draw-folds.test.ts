import { aggregateV1, commonV1 } from "@parfocal/protocol";
import { describe, expect, it } from "vitest";
import { drawFolds, type FoldOptions } from "./draw-folds.ts";

const { KIND_BINARY, KIND_REGRESSION, KIND_SURVIVAL } = commonV1.Task_Kind;

/** Two bags of each of twelve patients; labels by patient. */
const bags = Array.from({ length: 24 }, (_, index) => {
  const patient = Math.floor(index / 2);
  return aggregateV1.LabelledBag.fromPartial({
    patientKey: `p${patient}`,
    labels: [patient % 2 === 0 ? "normal" : "tumour"],
    values: { ki67: patient },
    survival: { time: patient + 1, event: patient % 3 === 0 },
  });
});

const options: FoldOptions = {
  bags,
  task: { kind: KIND_BINARY },
  nFolds: 3,
  nRepeats: 1,
  fixedFolds: [],
  sites: [],
  validationFraction: 0.25,
  seed: 7n,
};

const testsOf = ({ parts }: { readonly parts: string }) =>
  [...parts].flatMap((letter, row) => (letter === "e" ? [row] : []));

describe("drawFolds", () => {
  it.each([
    ["classes", {}],
    ["numbers", { task: { kind: KIND_REGRESSION } }],
    ["events", { task: { kind: KIND_SURVIVAL } }],
    ["several repeats", { nRepeats: 3 }],
    ["fixed folds", { fixedFolds: bags.map((_, row) => (Math.floor(row / 2) % 3) + 1) }],
    ["sites", { sites: bags.map((_, row) => `s${Math.floor(row / 4)}`) }],
    ["no validation", { validationFraction: 0 }],
  ] satisfies [string, Partial<FoldOptions>][])("tests every bag once per repeat, patients whole: %s", (_, change) => {
    const given = { ...options, ...change };
    const folds = drawFolds(given);
    expect(folds).toHaveLength(3 * given.nRepeats);
    for (const own of Map.groupBy(folds, ({ repeat }) => repeat).values()) {
      expect(own.flatMap(testsOf).sort((a, b) => a - b)).toEqual([...bags.keys()]);
    }
    for (const { parts } of folds) {
      for (let row = 0; row < bags.length; row += 2) expect(parts[row]).toBe(parts[row + 1]);
      expect(parts.includes("v")).toBe(given.validationFraction > 0);
      expect(parts).toContain("t");
    }
    expect(drawFolds(given)).toEqual(folds);
  });

  it("spreads what it stratifies by evenly", () => {
    for (const fold of drawFolds(options)) {
      const labels = testsOf(fold).map((row) => bags[row]!.labels[0]);
      expect(labels.filter((label) => label === "tumour")).toHaveLength(4);
    }
    for (const fold of drawFolds({ ...options, task: { kind: KIND_REGRESSION } })) {
      const quarters = new Set(testsOf(fold).map((row) => Math.floor(row / 6)));
      expect(quarters.size).toBe(4);
    }
  });

  it("keeps sites and given folds as they are", () => {
    const sites = bags.map((_, row) => `s${Math.floor(row / 4)}`);
    for (const fold of drawFolds({ ...options, sites })) {
      const tested = new Set(testsOf(fold).map((row) => sites[row]));
      expect(testsOf(fold)).toHaveLength(4 * tested.size);
    }
    const fixedFolds = bags.map((_, row) => (row < 12 ? 1 : 2));
    expect(drawFolds({ ...options, nFolds: 2, fixedFolds }).map(testsOf)).toEqual([
      [...bags.keys()].slice(0, 12),
      [...bags.keys()].slice(12),
    ]);
  });

  it("refuses folds that divide a patient or test nothing", () => {
    const divided = bags.map((_, row) => (row % 3) + 1);
    expect(() => drawFolds({ ...options, fixedFolds: divided })).toThrow(
      expect.objectContaining({ code: "LABEL_LEAKAGE" }),
    );
    const empty = bags.map((_, row) => (row < 12 ? 1 : 2));
    expect(() => drawFolds({ ...options, fixedFolds: empty })).toThrow("fold 3 tests 0 bags");
  });
});
