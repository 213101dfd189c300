import { describe, expect, it } from "vitest";
import { UsageError } from "../exit-codes.ts";
import { type ParseLabelsOptions, parseLabels } from "./parse-labels.ts";

const row = (line: number, slide: string, label: string) => ({ line, slide, labels: [label], unknownLabels: [] });
const rowsOf = (text: string, options: ParseLabelsOptions = {}) => parseLabels(text, options).rows;

describe("a labels table", () => {
  it("names slides and labels, patients and parts where it has them", () => {
    const rows = rowsOf("slide_id,label,patient_id,split\ns1,a,p1,train\ns2,b,p2,val\ns3,a,p3,Test\n");
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
    expect(rowsOf(text)).toEqual([expected]);
  });

  it("prefers a column of bags to one of slides", () => {
    expect(rowsOf("slide_id,bag,label\ns1,0123456789ab,x\n")[0]?.slide).toBe("0123456789ab");
  });

  it("reads several labels, none, and those that are not known", () => {
    const rows = rowsOf("slide,labels\ns1,a; b\ns2,\ns3,a;?b\n");
    expect(rows.map(({ labels, unknownLabels }) => [labels, unknownLabels])).toEqual([
      [["a", "b"], []],
      [[], []],
      [["a"], ["b"]],
    ]);
  });

  it("leaves out rows without a label, and counts them without a name", () => {
    const table = parseLabels("slide_id,label\ns1,a\ns2,\ns3,NA\ns4,b\ns5,\n");
    expect(table.rows).toEqual([row(2, "s1", "a"), row(5, "s4", "b")]);
    expect(table.notes).toEqual([
      '3 rows of the labels table without a label: left out (2 empty, 1 "NA"); state the classes to keep such a word as one',
    ]);
    expect(parseLabels("slide_id,label\ns1,a\n").notes).toEqual([]);
    expect(() => parseLabels("slide_id,label\ns1,\ns2,NA\n")).toThrow("no row of the labels table has a label");
  });

  it("leaves out rows whose number, time or event is missing, and counts them as those without a class", () => {
    const numbers = parseLabels("slide_id,age\ns1,61\ns2,\ns3,NA\n", { form: "numbers", labelColumn: "age" });
    expect(numbers.rows.map(({ slide, values }) => [slide, values])).toEqual([["s1", { age: 61 }]]);
    expect(numbers.notes).toEqual(['2 rows of the labels table without a label: left out (1 empty, 1 "NA")']);
    const events = parseLabels("slide_id,time,event\ns1,3,1\ns2,,1\ns3,4,unknown\ns4,,\n");
    expect(events.rows.map(({ slide, survival }) => [slide, survival])).toEqual([["s1", { time: 3, event: true }]]);
    expect(events.rows[0]).not.toHaveProperty("missing");
    expect(events.notes).toEqual(['3 rows of the labels table without a label: left out (2 empty, 1 "unknown")']);
  });

  it("reads a column of folds under a name of parts, without taking it for parts", () => {
    const text = "slide_id,label,fold,split\ns1,a,0,train\ns2,b,x,test\ns3,,,\n";
    const said = rowsOf(text, { foldColumn: "fold" }).map(({ fold, part }) => [fold, part]);
    expect(said).toEqual([["0", "train"], ["x", "test"]]); // biome-ignore format: one line
    expect(() => parseLabels(text, { foldColumn: "cv" })).toThrow("has no column cv, only slide_id, label, fold");
    expect(() => parseLabels("slide_id,label,fold\ns1,a,0\n")).toThrow("crossval takes a column of folds by --fold-column"); // biome-ignore format: one line
  });

  it("takes another column for the label when it is told so", () => {
    const text = "slide_id,label,isMSIH\ns1,x,MSI\n";
    expect(rowsOf(text, { labelColumn: "ismsih" })[0]?.labels).toEqual(["MSI"]);
  });

  it("reads numbers by the names of their columns, without those that are not known", () => {
    const text = "slide_id,AGE,bmi\ns1,61.5,NA\ns2,-3e1,22\n";
    const rows = rowsOf(text, { form: "numbers", labelColumn: "age, bmi" });
    expect(rows.map(({ values }) => values)).toEqual([{ age: 61.5 }, { age: -30, bmi: 22 }]);
    expect(rowsOf("slide_id,label\ns1,4\n", { form: "numbers" })[0]?.values).toEqual({ label: 4 });
  });

  it("reads the site of every row where sites matter", () => {
    const text = "slide_id,label,centre\na,0,Bern\nb,1,Graz\n";
    expect(rowsOf(text, { siteColumn: "centre" }).map(({ site }) => site)).toEqual(["Bern", "Graz"]);
    expect(rowsOf(text)[0]).not.toHaveProperty("site");
    expect(() => parseLabels(text.replace("Graz", ""), { siteColumn: "centre" })).toThrow(
      "line 3 of the labels table, column centre: there is no site",
    );
    expect(() => parseLabels(text, { siteColumn: "hospital" })).toThrow(
      "has no column hospital, only slide_id, label, centre",
    );
  });

  it("reads times and events, also by CLAM's censorship, which says the opposite", () => {
    const rows = rowsOf("slide_id,time,event\ns1,12.5,1\ns2,0,no\ns3,7,1:DECEASED\n");
    expect(rows.map(({ survival }) => survival)).toEqual([
      { time: 12.5, event: true },
      { time: 0, event: false },
      { time: 7, event: true },
    ]);
    const clam = rowsOf("case_id,slide_id,survival_months,censorship\np1,s1,30,1\np2,s2,4,0\n");
    expect(clam.map(({ survival }) => survival?.event)).toEqual([false, true]);
    const named = { timeColumn: "PFS.months", eventColumn: "PFS" };
    const own = rowsOf("slide_id,label,PFS.months,PFS\ns1,a,3,1\n", named);
    expect(own[0]).toMatchObject({ labels: [], survival: { time: 3, event: true } });
  });

  it("joins STAMP's table of slides with one of patients, and leaves out whom either does not know", () => {
    const slides = "PATIENT,FILENAME\np1,a.h5\np1,b.h5\np2,c.h5\np3,d.h5\n";
    const clinical = "PATIENT,isMSIH,AGE\np2,nonMSIH,60\np1,MSIH,70\np9,MSIH,50\n";
    const rows = rowsOf(slides, { clinical, labelColumn: "isMSIH" });
    expect(rows.map(({ line, slide, patient, labels }) => [line, slide, patient, labels[0]])).toEqual([
      [2, "a.h5", "p1", "MSIH"],
      [3, "b.h5", "p1", "MSIH"],
      [4, "c.h5", "p2", "nonMSIH"],
    ]);
    expect(rowsOf(slides, { clinical, form: "numbers", labelColumn: "AGE" })[2]?.values).toEqual({ AGE: 60 });
  });

  it("needs neither a part nor a place in the split file for rows without a label, but takes both", () => {
    const text = "slide_id,label,split\ns1,a,train\ns2,,\ns3,b,test\n";
    expect(rowsOf(text).map(({ slide, part }) => [slide, part])).toEqual([["s1", "train"], ["s3", "test"]]); // biome-ignore format: one line
    const split = parseLabels("slide_id,label\ns1,a\ns2,\ns3,b\ns4,\n", {
      splits: [{ text: ",train,val,test\n0,s1,s2,s3\n" }],
    });
    expect(split.rows.map(({ slide }) => slide)).toEqual(["s1", "s3"]);
    expect(split.notes).toEqual(["1 row of the labels table without a label: left out (1 empty)"]);
  });

  it("leaves out slides of patients without a label", () => {
    const clinical = "PATIENT,isMSIH\np1,MSIH\np2,NA\n";
    const { rows, notes } = parseLabels("PATIENT,FILENAME\np1,a.h5\np2,b.h5\np2,c.h5\n", { clinical, labelColumn: "isMSIH" }); // biome-ignore format: one line
    expect(rows.map(({ slide }) => slide)).toEqual(["a.h5"]);
    expect(notes[0]).toContain('2 rows of the labels table without a label: left out (2 "NA")');
  });

  it.each([
    ["lists", ",train,val,test\n0,s1,s3,s2\n1,s4,,\n"],
    ["flags", ",train,val,test\ns1,True,False,False\ns2,False,False,True\ns3,False,True,False\ns4,True,False,False\n"],
  ])("takes the parts from CLAM's split file of %s", (_, splits) => {
    const text = "case_id,slide_id,label\np1,s1.svs,a\np2,s2,b\np3,s3,a\np4,s4,b\np5,left out,a\n";
    const parts = rowsOf(text, { splits: [{ text: splits }] }).map(({ slide, part }) => [slide, part]);
    expect(parts).toEqual([
      ["s1.svs", "train"],
      ["s2", "test"],
      ["s3", "validation"],
      ["s4", "train"],
    ]);
  });

  it.each([
    ["slide_id,label\ns1,x\n", { form: "numbers" }, 'line 2 of the labels table, column label: "x" is no number'],
    ["slide_id,label\ns1,NA\n", { form: "numbers" }, "no row of the labels table has a label"],
    ["slide_id,label\ns1,3\n", { form: "numbers", labelColumn: "age" }, "has no column age, only slide_id, label"],
    ["slide_id,time,event\ns1,-1,1\n", {}, "line 2 of the labels table, column time: -1 is below 0"],
    ["slide_id,time,event\ns1,,1\n", {}, "no row of the labels table has a label"],
    ["slide_id,time,event\ns1,1,1\ns2,1,7\n", {}, 'line 3 of the labels table, column event: "7" is neither 0 nor 1'],
    ["slide_id,label\ns1,1\n", { form: "events" }, "has no column time, only slide_id, label; --time-column"],
    ["slide_id,x\ns1,1\n", { clinical: "PATIENT,label\np,a\n" }, "the labels table has no column patient_id"],
    ["slide_id,PATIENT\ns1,p1\n", { clinical: "PATIENT,label\np1,a\np1,b\n" }, "lines 2 and 3 of the clinical table are of one patient (PATIENT)"], // biome-ignore format: one line
    ["slide_id,PATIENT\ns1,p1\n", { clinical: "PATIENT,label\np2,a\n" }, "no patient of the labels table is in the clinical table"], // biome-ignore format: one line
    ["slide_id,label\ns1,a\n", { splits: [{ text: "a,b\n1,2\n" }] }, "the splits table has no column train"],
    ["slide_id,label\ns1,a\n", { splits: [{ text: ",train,val\n0,s1,s1\n" }] }, "line 2 of the splits table puts a slide into validation that is in train"], // biome-ignore format: one line
    ["slide_id,label\ns1,a\n", { splits: [{ text: ",train,val\n0,s1,s2\n" }] }, '1 of 2 slides of the splits table are not in the labels table, the first "s2"'], // biome-ignore format: one line
  ] as const)("refuses %j with %j saying where it is wrong", (text, options, message) => {
    expect(() => parseLabels(text, options)).toThrow(UsageError);
    expect(() => parseLabels(text, options)).toThrow(message);
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
