import { describe, expect, it } from "vitest";
import { UsageError } from "../exit-codes.ts";
import { type ClassWish, classReader, isMissingClass, missingNotes } from "./label-classes.ts";
import { parseTable } from "./read-table.ts";

/** What the cells of a column `label` say, each as it is read. */
function read(cells: readonly string[], wish?: ClassWish) {
  const table = parseTable(`slide,label\n${cells.map((cell, i) => `s${i},${cell}`).join("\n")}\n`, "the labels table");
  return table.rows.map(classReader(table, 1, wish));
}

const has = (...labels: string[]) => ({ labels, unknownLabels: [] });
const without = (missing: string) => ({ ...has(), missing });

describe("cells of classes", () => {
  it.each(["", "NA", "n/a", "NaN", "null", "Unknown", "not available", "?"])(
    "have no label where they say %j",
    (cell) => {
      expect(read(["a", cell, "b"])).toEqual([has("a"), without(cell), has("b")]);
    },
  );

  it("keep a word that the stated classes have", () => {
    const classes = ["MSI", "unknown", "NA"];
    expect(read(["MSI", "unknown", "NA", "n/a", ""], { classes })).toEqual([
      ...[has("MSI"), has("unknown"), has("NA")],
      ...[without("n/a"), without("")],
    ]);
    // Spelled otherwise it is a class that is refused for what it is, not a row that is left out.
    expect(read(["Unknown"], { classes })).toEqual([has("Unknown")]);
  });

  it("have none of the classes where they are empty in a multi-label task, told or seen by a list", () => {
    expect(read(["a", ""], { isMultilabel: true })).toEqual([has("a"), has()]);
    expect(read(["a;b", ""])).toEqual([has("a", "b"), has()]);
    expect(read(["a", "?b", ""])).toEqual([has("a"), { labels: [], unknownLabels: ["b"] }, has()]);
    expect(read(["a;b", "NA", "?"])).toEqual([has("a", "b"), without("NA"), without("?")]);
  });

  it("have no label where they are empty in a task of one class, whatever other cells hold", () => {
    expect(read(["a;b", ""], { isMultilabel: false })).toEqual([has("a", "b"), without("")]);
  });

  it("are refused where they say none, which may be a class, no class or no label", () => {
    const message =
      'line 3 of the labels table, column label: "None" may be a class or a missing label; state the classes';
    expect(() => read(["mild", "None"])).toThrow(UsageError);
    expect(() => read(["mild", "None"])).toThrow(message);
    expect(() => read(["mild", "None"], { isMultilabel: true, classes: ["mild"] })).toThrow(message);
    expect(read(["none"], { classes: ["none", "mild"] })).toEqual([has("none")]);
    expect(read(["none"], { classes: ["mild", "severe"] })).toEqual([without("none")]);
  });

  it.each(["a;NA", "a;?", "?unknown"])("are refused where a list has no class in it: %s", (cell) => {
    expect(() => read(["b", cell])).toThrow('line 3 of the labels table, column label: "');
  });

  it("are told apart without a table", () => {
    expect(isMissingClass("NA", "here", {})).toBe(true);
    expect(isMissingClass("NA", "here", { classes: ["NA"] })).toBe(false);
    expect(isMissingClass("tumour", "here", { classes: ["normal"] })).toBe(false);
    expect(() => isMissingClass("none", "here", { classes: [] })).toThrow('here: "none" may be');
  });
});

describe("notes on missing labels", () => {
  it("count what stands in place of labels", () => {
    expect(missingNotes([], "row")).toEqual([]);
    expect(missingNotes([""], "row")).toEqual(["1 row without a label: left out (1 empty)"]);
    expect(missingNotes(["NA", "", "NA"], "bag", { of: " of a kind" })).toEqual([
      '3 bags of a kind without a label: left out (2 "NA", 1 empty); state the classes to keep such a word as one',
    ]);
  });

  it("do not say that a word may be kept where labels are no classes", () => {
    expect(missingNotes(["NA", ""], "row", { mayBeClasses: false })).toEqual([
      '2 rows without a label: left out (1 "NA", 1 empty)',
    ]);
  });
});
