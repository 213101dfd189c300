import { gatewayV1 } from "@parfocal/protocol";
import { describe, expect, it } from "vitest";
import { readsRegions, suitableBags } from "./region-bags.ts";
import { groupBySlide } from "./slide-groups.ts";

const bagOf = (name: string, slideId: string, levelCount?: number) =>
  gatewayV1.Bag.fromPartial({ name, info: { slideId, ...(levelCount === undefined ? {} : { levelCount }) } });

const BAGS = [
  bagOf("a5", "a"),
  bagOf("b5", "b"),
  bagOf("a10", "a"),
  bagOf("aR", "a", 3),
  bagOf("cR", "c", 3),
  bagOf("n1", ""),
  bagOf("n2", ""),
];

describe("bags of one and of several magnifications", () => {
  it("are told apart by what a model reads, and a slide of one kind stays", () => {
    expect(suitableBags(BAGS, true).map(({ name }) => name)).toEqual(["b5", "aR", "cR", "n1", "n2"]);
    expect(suitableBags(BAGS, false).map(({ name }) => name)).toEqual(["a5", "b5", "a10", "cR", "n1", "n2"]);
    expect(["region-mixer", "regionMixer", "levels", "r2t", "", undefined].map(readsRegions)).toEqual([
      ...[true, true, true],
      ...[false, false, false],
    ]);
  });

  it("are grouped by slide, each once, without region bags", () => {
    const groups = groupBySlide([...BAGS, BAGS[0]!]);
    expect(groups.map(({ slide, bags }) => [slide, ...bags.map(({ name }) => name)])).toEqual([
      ["a", "a5", "a10"],
      ["b", "b5"],
      ["n1", "n1"],
      ["n2", "n2"],
    ]);
  });
});
