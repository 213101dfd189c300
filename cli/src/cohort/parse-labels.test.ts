import { describe, expect, it } from "vitest";
import { UsageError } from "../exit-codes.ts";
import { parseLabels } from "./parse-labels.ts";

const row = (line: number, slide: string, label: string) => ({ line, slide, labels: [label], unknownLabels: [] });

describe("a labels table", () => {
  it("names slides and labels, patients and parts where it has them", () => {
    const rows = parseLabels("slide_id,label,patient_id,split\ns1,a,p1,train\ns2,b,p2,val\ns3,a,p3,Test\n");
    expect(rows).toEqual([
      { ...row(2, "s1", "a"), patient: "p1", part: "train" },
      { ...row(3, "s2", "b"), patient: "p2", part: "validation" },
      { ...row(4, "s3", "a"), patient: "p3", part: "test" },
    ]);
  });

  it.each([
    ["CLAM's", "case_id,slide_id,label\np1,s1,a\n", { ...row(2, "s1", "a"), patient: "p1" }],
    ["STAMP's", "PATIENT,FILENAME,label\np1,s1.h5,a\n", { ...row(2, "s1.h5", "a"), patient: "p1" }],
    ["a spreadsheet's", '\ufeffslide_id;label\r\n"s;1";a\r\n', row(2, "s;1", "a")],
    ["a tab-separated one with spaces", "slide_id\tlabel\ns1 \t a\n", row(2, "s1", "a")],
  ])("takes %s", (_, text, expected) => {
    expect(parseLabels(text)).toEqual([expected]);
  });

  it("prefers a column of bags to one of slides", () => {
    expect(parseLabels("slide_id,bag,label\ns1,0123456789ab,x\n")[0]?.slide).toBe("0123456789ab");
  });

  it("reads several labels, none, and those that are not known", () => {
    const rows = parseLabels("slide,labels\ns1,a; b\ns2,\ns3,a;?b\n");
    expect(rows.map(({ labels, unknownLabels }) => [labels, unknownLabels])).toEqual([
      [["a", "b"], []],
      [[], []],
      [["a"], ["b"]],
    ]);
  });

  it("takes another column for the label when it is told so", () => {
    const text = "slide_id,label,isMSIH\ns1,x,MSI\n";
    expect(parseLabels(text, { labelColumn: "ismsih" })[0]?.labels).toEqual(["MSI"]);
  });

  it.each([
    ["", "no rows"],
    ["slide_id,label\n", "no rows"],
    ["name,label\nx,a\n", "no column slide_id"],
    ["slide_id,grade\nx,a\n", "no column label, only slide_id, grade; --label-column"],
    ["slide_id,label\n,a\n", "line 2 of the labels table names no slide"],
    ["slide_id,label\nx,a\nx,b\n", "lines 2 and 3 of the labels table name the same slide"],
    ["slide_id,label,split\nx,a,train\ny,b,\n", "1 of 2 rows have no split, the first on line 3"],
    ["slide_id,label,split\nx,a,holdout\n", 'line 2: split is "holdout"'],
    ['slide_id,label\nx,"a\n', "is no CSV"],
    ["slide_id,label\nx,a,b\n", "is no CSV"],
  ])("refuses %j saying what is wrong", (text, message) => {
    expect(() => parseLabels(text)).toThrow(UsageError);
    expect(() => parseLabels(text)).toThrow(message);
  });
});
