import { gatewayV1 } from "@parfocal/protocol";
import { describe, expect, it } from "vitest";
import { UsageError } from "../exit-codes.ts";
import { assertNoFoldParts, fixedFoldsOf } from "./fixed-folds.ts";
import { matchBags } from "./match-bags.ts";
import { type ParseLabelsOptions, parseLabels } from "./parse-labels.ts";

const PATIENTS = ["p0", "p0", "p1", "p1", "p2", "p2"];

/** A table of six slides of three patients, with a column of folds. */
function rowsOf(folds: readonly string[], options: ParseLabelsOptions, patients: readonly string[] = PATIENTS) {
  const lines = folds.map((fold, i) => `${patients[i] ?? ""},s${i},${i % 2 === 0 ? "a" : "b"},${fold}\n`);
  const table = parseLabels(`case_id,slide_id,label,fold\n${lines.join("")}`, options);
  const bags = folds.map((_, i) => gatewayV1.Bag.fromPartial({ name: `bags/s${i}`, info: { slideId: `s${i}` } }));
  return matchBags(table, bags).matched;
}

const COLUMN = { foldColumn: "fold" };
const columnOf = (folds: readonly string[], patients?: readonly string[]) =>
  fixedFoldsOf(rowsOf(folds, COLUMN, patients), false);

/** CLAM's split file: lists of slides, by their numbers. */
function clam(train: readonly number[], val: readonly number[], test: readonly number[]): string {
  const nRows = Math.max(train.length, val.length, test.length);
  const cell = (slide: number | undefined) => (slide === undefined ? "" : `s${slide}`);
  const lines = Array.from({ length: nRows }, (_, i) => `${i},${cell(train[i])},${cell(val[i])},${cell(test[i])}\n`);
  return `,train,val,test\n${lines.join("")}`;
}

/** The folds of splits files, for slides without folds of their own. */
function splitsOf(texts: readonly string[]) {
  const splits = texts.map((text, i) => ({ text, what: `the splits table splits_${i}.csv` }));
  return fixedFoldsOf(rowsOf(["", "", "", "", "", ""], { ...COLUMN, splits }), false);
}

const LEFT_ASIDE =
  "the validation parts of the splits are left aside: who validates is drawn of the slides that a fold does not test";

describe("folds by a column", () => {
  it("are numbered in natural order of their names", () => {
    expect(columnOf(["10", "10", "9", "9", "b", "b"])).toEqual({
      count: 3,
      testedBy: [2, 2, 1, 1, 3, 3],
      notes: ["folds of the labels table, in this order: 9, 10, b"],
    });
  });

  it("are absent where the table has none", () => {
    expect(fixedFoldsOf(rowsOf(["train", "train", "test", "test", "test", "test"], {}), false)).toBeUndefined();
  });

  it.each([
    ["a patient of two folds", ["0", "1", "1", "1", "0", "0"], "1 patient in several folds; a patient is in one"],
    ["one fold", ["0", "0", "0", "0", "0", "0"], "the tables give 1 fold; a cross-validation has 2 to 100"],
    ["no fold", ["0", "0", "1", "1", "", "NA"], "2 of 6 labelled rows have no fold, the first on line 6"],
  ])("are refused for %s, without a name", (_, folds, message) => {
    expect(() => columnOf(folds)).toThrow(UsageError);
    expect(() => columnOf(folds)).toThrow(message);
  });

  it("are refused for a patient whom only the bags name", () => {
    const rows = rowsOf(["0", "1", "1", "0"], COLUMN, []).map(({ row, bag }) => ({
      row,
      bag: { ...bag, info: gatewayV1.Bag.fromPartial({ info: { patientId: "one" } }).info },
    }));
    expect(() => fixedFoldsOf(rows, false)).toThrow("1 patient in several folds");
  });

  it("keep a group together where groups have labels", () => {
    const rows = rowsOf(["0", "1"], COLUMN, []).map(({ row, bag }) => ({ row: { ...row, group: "g" }, bag }));
    expect(fixedFoldsOf(rows, false)?.testedBy).toEqual([1, 2]);
    expect(() => fixedFoldsOf(rows, true)).toThrow("1 patient in several folds");
  });
});

describe("folds by CLAM's split files", () => {
  it("test what each file tests; the validation parts are left aside, which is told", () => {
    const files = [clam([2, 3], [4, 5], [0, 1]), clam([4, 5], [0, 1], [2, 3]), clam([0, 1, 2, 3], [], [4, 5])];
    expect(splitsOf(files)).toEqual({ count: 3, testedBy: [1, 1, 2, 2, 3, 3], notes: [LEFT_ASIDE] });
    expect(splitsOf([clam([0, 1, 2, 3], [], [4, 5]), clam([4, 5], [], [0, 1, 2, 3])])?.notes).toEqual([]);
  });

  it("leave out slides that no file has", () => {
    expect(splitsOf([clam([0, 1], [], [2, 3]), clam([2, 3], [], [0, 1])])?.testedBy).toEqual([2, 2, 1, 1]);
  });

  it.each([
    [
      "test parts that overlap",
      [clam([2, 3, 4, 5], [], [0, 1]), clam([4, 5], [], [0, 1, 2, 3])],
      "2 of 6 slides are in the test parts of several folds; folds that are given test every slide once and train on all others; draws that overlap are a training each",
    ],
    [
      "slides that are never tested",
      [clam([2, 3, 4, 5], [], [0, 1]), clam([0, 1, 4, 5], [], [2, 3])],
      "2 of 6 slides are in the test part of no fold; folds that are given test every slide once",
    ],
    [
      "slides that a fold leaves out",
      [clam([2, 3], [], [0, 1]), clam([0, 1], [], [2, 3, 4, 5])],
      "2 of 6 slides are left out of some folds",
    ],
    [
      "a patient in two parts",
      [clam([3, 4, 5], [2], [0, 1]), clam([0, 1], [], [2, 3, 4, 5])],
      "fold 1: 1 patient in two of its parts",
    ],
    ["an empty test part", [clam([0, 1], [], []), clam([], [], [0, 1])], "fold 1 of 2 tests no labelled slide"],
    [
      "a slide that has no row",
      [clam([7], [], [0, 1]), clam([0, 1], [], [7])],
      /1 of 3 slides of the splits tables are not in the labels table$/,
    ],
  ])("are refused for %s, with counts", (_, files, message) => {
    expect(() => splitsOf(files)).toThrow(UsageError);
    expect(() => splitsOf(files)).toThrow(message);
  });

  it("are named where one cannot be read", () => {
    expect(() => splitsOf([clam([0], [], [1]), "a,b\n1,2\n"])).toThrow(
      "the splits table splits_1.csv has no column train",
    );
  });
});

describe("folds by Patho-Bench's columns", () => {
  const TABLE = [
    "case_id,slide_id,fold_1,fold_0,fold_10",
    ...["p0,s0,train,test,val", "p0,s1,train,test,val", "p1,s2.svs,test,train,train"],
    ...["p1,s3,test,train,train", "p2,s4,train,train,Test", "p2,s5,train,train,test"],
  ];

  it("are in the order of their numbers", () => {
    expect(splitsOf([TABLE.join("\n")])).toEqual({ count: 3, testedBy: [1, 1, 2, 2, 3, 3], notes: [LEFT_ASIDE] });
  });

  it("are refused where they cannot be read, or beside other files", () => {
    expect(() => splitsOf([TABLE.join("\n").replace("Test", "held")])).toThrow(
      'line 6 of the splits table splits_0.csv, column fold_10: "held" is none of train, val and test',
    );
    expect(() => splitsOf([[...TABLE, TABLE[1]].join("\n")])).toThrow("names a slide that is named before");
    expect(() => splitsOf([clam([0], [], [1]), TABLE.join("\n")])).toThrow(
      "splits_1.csv has columns of folds: it is given alone; there are 2 files",
    );
    expect(() => splitsOf(["case_id,fold_0\np,test\n"])).toThrow("has no column slide_id, only case_id, fold_0");
    expect(() => splitsOf([TABLE.join("\n").replace(",test,train,train", ",test,test,train")])).toThrow(
      "are in the test parts of several folds",
    );
  });

  it("are no parts of one training", () => {
    const rows = rowsOf(["", "", "", "", "", ""], { ...COLUMN, splits: [{ text: TABLE.join("\n") }] });
    expect(() => assertNoFoldParts(rows)).toThrow("the splits are 3 folds, which 'parfocal crossval' takes");
    const one = rowsOf(["", ""], { ...COLUMN, splits: [{ text: clam([0], [], [1]) }] });
    expect(() => assertNoFoldParts(one)).not.toThrow();
    expect(fixedFoldsOf(one, false)).toBeUndefined();
  });
});
