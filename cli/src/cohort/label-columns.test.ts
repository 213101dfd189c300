import { describe, expect, it } from "vitest";
import { UsageError } from "../exit-codes.ts";
import { type ParseLabelsOptions, parseLabels } from "./parse-labels.ts";

const MULTILABEL: ParseLabelsOptions = { form: "classes", isMultilabel: true, labelColumn: "KRAS, TP53" };

/** What rows of two cells say. */
function read(cells: readonly string[], options: ParseLabelsOptions = MULTILABEL) {
  const rows = cells.map((each, i) => `s${i},${each}\n`).join("");
  return parseLabels(`slide_id,KRAS,TP53\n${rows}`, options);
}

describe("a table with a column for each label", () => {
  it.each([
    ["1", "0"],
    ["1.0", "0.0"],
    ["TRUE", "False"],
    ["yes", "No"],
    ["Positive", "negative"],
    ["MUT", "WT"],
    ["mutated", "Wildtype"],
  ])("says by %s that a label holds and by %s that it does not", (holds, not) => {
    expect(read([`${holds},${not}`, `${not},${holds}`]).rows.map(({ labels }) => labels)).toEqual([["KRAS"], ["TP53"]]);
  });

  it("tells labels that are not known from those that do not hold", () => {
    const { rows, notes } = read(["1,", "NA,0", "0,0", "1,1"]);
    expect(rows.map(({ labels, unknownLabels }) => [labels, unknownLabels])).toEqual([
      [["KRAS"], ["TP53"]],
      [[], ["KRAS"]],
      [[], []],
      [["KRAS", "TP53"], []],
    ]);
    expect(rows.map(({ columns }) => columns)).toEqual(rows.map(() => ["KRAS", "TP53"]));
    expect(notes).toEqual([]);
  });

  it("leaves out rows of which no label is known, and counts them", () => {
    const { rows, notes } = read(["1,0", ",", "NA,unknown"]);
    expect(rows.map(({ slide }) => slide)).toEqual(["s0"]);
    expect(notes).toEqual(['2 rows of the labels table without a label: left out (1 empty, 1 "NA")']);
  });

  it("takes the columns of the stated classes where nobody names columns, and does not know what has none", () => {
    const classes = ["TP53", "KRAS"];
    const found = read(["1,0"], { form: "classes", isMultilabel: true, classes });
    expect(found.rows[0]).toMatchObject({ labels: ["KRAS"], columns: classes });
    const more = read(["1,0"], { ...MULTILABEL, classes: [...classes, "EGFR"] });
    expect(more.rows[0]).toMatchObject({ labels: ["KRAS"], unknownLabels: ["EGFR"] });
  });

  it("is not taken for one where a single column has a comma in its name", () => {
    const table = parseLabels('slide_id,"a,b"\ns1,x;y\n', { ...MULTILABEL, labelColumn: "a,b" });
    expect(table.rows[0]).toMatchObject({ labels: ["x", "y"] });
  });

  it.each<[string, ParseLabelsOptions, string]>([
    ["maybe,0", MULTILABEL, 'line 2 of the labels table, column KRAS: "maybe" is none of 1/0, true/false, yes/no, '],
    ["1,none", MULTILABEL, 'line 2 of the labels table, column TP53: "none" is none of 1/0'],
    ["1,2", MULTILABEL, 'column TP53: "2" is none of'],
    ["1,0", { ...MULTILABEL, labelColumn: "KRAS,EGFR" }, "has no column EGFR, only slide_id, KRAS, TP53"],
    ["1,0", { ...MULTILABEL, labelColumn: "KRAS,KRAS" }, 'the label column "KRAS" is named twice'],
    ["1,0", { labelColumn: "KRAS,TP53" }, 'the label column "KRAS,TP53" is 2 columns; a multilabel task takes'],
    ["1,0", { labelColumn: "KRAS,TP53", isMultilabel: false }, "other tasks take one"],
  ])("is refused for %s with %j", (cells, options, message) => {
    expect(() => read([cells], options)).toThrow(UsageError);
    expect(() => read([cells], options)).toThrow(message);
  });
});
