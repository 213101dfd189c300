import { gatewayV1 } from "@parfocal/protocol";
import { describe, expect, it } from "vitest";
import { createBagFinder, matchBags } from "./match-bags.ts";
import { stemOf } from "./slide-stem.ts";

const digest = (digit: string) => digit.repeat(64);
const bagOf = (slideId: string, digit: string) =>
  gatewayV1.Bag.fromPartial({ name: `projects/p/bags/${digest(digit)}`, info: { slideId } });
const rowOf = (slide: string, line = 2) => ({ line, slide, labels: ["a"], unknownLabels: [] });

describe("finding bags", () => {
  const bags = [bagOf("slide-1", "1"), bagOf("slide-2.svs", "2"), bagOf("twice", "3"), bagOf("twice", "4")];
  const find = createBagFinder(bags);

  it.each([
    ["slide-1", "1"],
    ["slide-1.h5", "1"],
    ["slide-1.ome.tiff", "1"],
    ["features/slide-1.svs.h5", "1"],
    ["slide-2", "2"],
    ["slide-2.svs", "2"],
    ["slide-2.pt", "2"],
    [digest("1"), "1"],
    ["11111111", "1"],
    [`projects/p/bags/${digest("2")}`, "2"],
  ])("finds %s", (name, digit) => {
    expect(find(name).map((bag) => bag.name)).toEqual([`projects/p/bags/${digest(digit)}`]);
  });

  it.each(["slide", "slide-3", "1111111", "", "projects/q/bags/1"])("finds nothing for %j", (name) => {
    expect(find(name)).toEqual([]);
  });

  it("prefers the exact slide to one that differs by its ending", () => {
    const both = createBagFinder([bagOf("a", "5"), bagOf("a.svs", "6")]);
    expect(both("a.svs").map((bag) => bag.name)).toEqual([`projects/p/bags/${digest("6")}`]);
  });

  it("keeps dots that are no ending", () => {
    expect(stemOf("TCGA-AA.01.svs")).toBe("TCGA-AA.01");
    expect(stemOf("v1.2")).toBe("v1.2");
  });
});

describe("matching a labels table", () => {
  it("lists rows without a bag, with several, and those that mean the same bag", () => {
    const bags = [bagOf("a", "1"), bagOf("b", "2"), bagOf("b", "3")];
    const rows = [rowOf("a", 2), rowOf("b", 3), rowOf("c", 4), rowOf("a.h5", 5)];
    const { matched, problems, notes } = matchBags({ rows, notes: ["left out"] }, bags);
    expect(matched.map(({ row }) => row.line)).toEqual([2]);
    expect(notes).toEqual(["left out"]);
    expect(problems).toEqual([
      'line 3: 2 bags are of slide "b" (222222222222, 333333333333); name one in a bag column',
      'line 4: no bag of the project is of slide "c"',
      "lines 2 and 5 mean the same bag",
    ]);
  });
});
