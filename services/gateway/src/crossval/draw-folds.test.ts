import { createRng } from "@parfocal/metrics";
import { aggregateV1, commonV1 } from "@parfocal/protocol";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { drawFolds, type FoldOptions } from "./draw-folds.ts";

const { KIND_BINARY, KIND_MULTICLASS, KIND_MULTILABEL, KIND_REGRESSION, KIND_SURVIVAL } = commonV1.Task_Kind;

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

const foldsOf = (given: FoldOptions) => drawFolds(given).folds;

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
    const folds = foldsOf(given);
    expect(folds).toHaveLength(3 * given.nRepeats);
    for (const own of Map.groupBy(folds, ({ repeat }) => repeat).values()) {
      expect(own.flatMap(testsOf).sort((a, b) => a - b)).toEqual([...bags.keys()]);
    }
    for (const { parts } of folds) {
      for (let row = 0; row < bags.length; row += 2) expect(parts[row]).toBe(parts[row + 1]);
      expect(parts.includes("v")).toBe(given.validationFraction > 0);
      expect(parts).toContain("t");
    }
    expect(foldsOf(given)).toEqual(folds);
  });

  it("spreads what it stratifies by evenly", () => {
    for (const fold of foldsOf(options)) {
      const labels = testsOf(fold).map((row) => bags[row]!.labels[0]);
      expect(labels.filter((label) => label === "tumour")).toHaveLength(4);
    }
    for (const fold of foldsOf({ ...options, task: { kind: KIND_REGRESSION } })) {
      const quarters = new Set(testsOf(fold).map((row) => Math.floor(row / 6)));
      expect(quarters.size).toBe(4);
    }
  });

  it("keeps sites and given folds as they are", () => {
    const sites = bags.map((_, row) => `s${Math.floor(row / 4)}`);
    for (const fold of foldsOf({ ...options, sites })) {
      const tested = new Set(testsOf(fold).map((row) => sites[row]));
      expect(testsOf(fold)).toHaveLength(4 * tested.size);
    }
    const fixedFolds = bags.map((_, row) => (row < 12 ? 1 : 2));
    expect(foldsOf({ ...options, nFolds: 2, fixedFolds }).map(testsOf)).toEqual([
      [...bags.keys()].slice(0, 12),
      [...bags.keys()].slice(12),
    ]);
  });

  it("validates the share asked for of each fold's other sites, and says how balanced whole sites are", () => {
    const many = Array.from({ length: 120 }, (_, index) =>
      aggregateV1.LabelledBag.fromPartial({ patientKey: `q${index}`, labels: [index % 2 === 0 ? "normal" : "tumour"] }),
    );
    const sites = many.map((_, row) => `s${row % 4}`);
    const drawn = drawFolds({ ...options, bags: many, sites, nFolds: 4, validationFraction: 0.1 });
    expect(drawn.folds.map(({ parts }) => [...parts].filter((letter) => letter === "v").length)).toEqual([9, 9, 9, 9]);
    // A site has one class: each fold tests 30 of its 15, and none of the other's.
    expect(drawn.imbalance).toBe(1);
    expect(drawFolds(options).imbalance).toBeUndefined();
  });

  it("refuses folds that divide a patient or test nothing", () => {
    const divided = bags.map((_, row) => (row % 3) + 1);
    expect(() => foldsOf({ ...options, fixedFolds: divided })).toThrow(
      expect.objectContaining({ code: "LABEL_LEAKAGE" }),
    );
    const empty = bags.map((_, row) => (row < 12 ? 1 : 2));
    expect(() => foldsOf({ ...options, fixedFolds: empty })).toThrow("fold 3 tests 0 bags");
  });
});

/** Slides of 40 patients, who have 1 to 3 each, and 7 labels; the last 10 slides are of no patient. */
const mixedBags = Array.from({ length: 90 }, (_, index) => {
  const patient = (index * 7) % 40;
  const names = ["a", "b", "c", "d", "e", "f", "g"].filter((_name, k) => ((patient * 37 + 11) >> k) % 2 === 1);
  return aggregateV1.LabelledBag.fromPartial({
    bag: { object: { sha256: `digest ${index}` } },
    patientKey: index < 80 ? `p${patient}` : "",
    labels: names.slice(1),
    unknownLabels: names.slice(0, 1),
    values: { ki67: (patient * 31) % 17 },
    survival: { time: 1, event: patient % 3 === 0 },
  });
});
const classBags = mixedBags.map((bag, index) => ({ ...bag, labels: [`class ${((index * 7) % 40) % 3}`] }));

/** The bags of each part of each fold. */
function partsByBag(given: FoldOptions): string[][] {
  return foldsOf(given).map(({ parts }) =>
    given.bags.map(({ bag }, row) => `${bag?.object?.sha256} ${parts[row]}`).sort(),
  );
}

describe("folds of the same bags in another order", () => {
  const several = { nRepeats: 2, seed: 3n };
  it.each([
    ["several labels", { bags: mixedBags, task: { kind: KIND_MULTILABEL }, ...several }],
    ["classes", { bags: classBags, task: { kind: KIND_MULTICLASS }, ...several }],
    ["numbers", { bags: mixedBags, task: { kind: KIND_REGRESSION }, ...several }],
    ["events", { bags: mixedBags, task: { kind: KIND_SURVIVAL }, ...several }],
    [
      "fixed",
      {
        bags: mixedBags,
        task: { kind: KIND_MULTILABEL },
        fixedFolds: mixedBags.map((_, i) => (((i * 7) % 40) % 3) + 1),
      },
    ],
    [
      "sites, labels",
      { bags: mixedBags, task: { kind: KIND_MULTILABEL }, sites: mixedBags.map((_, i) => `s${((i * 7) % 40) % 8}`) },
    ],
    [
      "sites, classes",
      { bags: classBags, task: { kind: KIND_MULTICLASS }, sites: classBags.map((_, i) => `s${((i * 7) % 40) % 8}`) },
    ],
  ] satisfies [string, Partial<FoldOptions>][])("are the same: %s", (_, change) => {
    const given: FoldOptions = { ...options, ...change };
    const rows = [...given.bags.keys()];
    fc.assert(
      fc.property(fc.shuffledSubarray(rows, { minLength: rows.length }), (order) => {
        const pick = <T>(list: readonly T[]) => (list.length === 0 ? [] : order.map((row) => list[row]!));
        const { bags: own, fixedFolds, sites } = given;
        const other = { ...given, bags: pick(own), fixedFolds: pick(fixedFolds), sites: pick(sites) };
        expect(partsByBag(other)).toEqual(partsByBag(given));
      }),
      { numRuns: 20 },
    );
  });
});

describe("folds of patients who all have different labels", () => {
  const distinct = Array.from({ length: 60 }, (_, index) => {
    const labels = ["a", "b", "c", "d", "e", "f", "g"].filter((_name, k) => ((2 * index + 5) >> k) % 2 === 1);
    return aggregateV1.LabelledBag.fromPartial({ patientKey: `p${index}`, labels });
  });
  const given = { ...options, bags: distinct, task: { kind: KIND_MULTILABEL }, nFolds: 5, nRepeats: 4 };

  it("differ by repeat and by seed", () => {
    const folds = [7n, 8n].flatMap((seed) => foldsOf({ ...given, seed }).map((fold) => ({ ...fold, seed })));
    const byDraw = Map.groupBy(folds, ({ seed, repeat }) => `${seed} ${repeat}`);
    const partitions = [...byDraw.values()].map((own) => own.map((fold) => testsOf(fold).join()).sort());
    expect(new Set(partitions.map((each) => each.join("|"))).size).toBe(8);
  });
});

it("folds of many patients have each of several labels to within 2 patients", () => {
  const percents = [50, 40, 30, 20, 20, 10, 10, 5];
  const rng = createRng(3n);
  const many = Array.from({ length: 200 }, (_, index) => {
    const labels = percents.flatMap((percent, k) => (rng.nextInt(100) < percent ? [`label ${k}`] : []));
    return aggregateV1.LabelledBag.fromPartial({ patientKey: `p${index}`, labels });
  });
  const folds = foldsOf({ ...options, bags: many, task: { kind: KIND_MULTILABEL }, nFolds: 5 });
  for (const k of percents.keys()) {
    const counts = folds.map((fold) => testsOf(fold).filter((row) => many[row]?.labels.includes(`label ${k}`)).length);
    expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(2);
  }
});
