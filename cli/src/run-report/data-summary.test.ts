import { gatewayV1 } from "@parfocal/protocol";
import { describe, expect, it } from "vitest";
import type { AssignedRow } from "../cohort/assign-parts.ts";
import { dataSummary } from "./data-summary.ts";

const { COORDINATE_UNIT_LEVEL0_PX, COORDINATE_UNIT_ENCODED_PX } = gatewayV1.BagInfo_CoordinateUnit;

const LEVEL0 = { reference: { hasCoordinates: true }, info: { coordinateUnit: COORDINATE_UNIT_LEVEL0_PX } };
const ENCODED = { reference: { hasCoordinates: true }, info: { coordinateUnit: COORDINATE_UNIT_ENCODED_PX } };
const UNSAID = { reference: { hasCoordinates: true }, info: {} };
const BARE = { reference: { hasCoordinates: false }, info: {} };

function coordinatesOf(bags: readonly (typeof UNSAID | typeof LEVEL0)[]): string | undefined {
  const rows = bags.map((bag, i): AssignedRow => {
    const row = { line: i + 2, slide: `s${i}`, labels: ["a"], unknownLabels: [] };
    return { row, bag: gatewayV1.Bag.fromPartial(bag), part: "train", patient: `p${i}` };
  });
  const { facts } = dataSummary(rows, { classes: ["a"] }, []);
  return facts.find(({ name }) => name === "Coordinates")?.value;
}

describe("the summary of data", () => {
  it.each([
    ["of level 0", [LEVEL0, LEVEL0], "level-0 pixels"],
    ["of the encoded magnification", [ENCODED, ENCODED], "pixels of the encoded magnification"],
    ["that nobody stated", [UNSAID, LEVEL0], "level-0 pixels"],
    ["that are not there", [BARE], "none: no heatmaps can be drawn"],
    ["of no bags", [], "none: no heatmaps can be drawn"],
    [
      "that differ",
      [LEVEL0, ENCODED, UNSAID, BARE],
      "2 bags: level-0 pixels; 1 bag: pixels of the encoded magnification; 1 bag: none: no heatmaps can be drawn",
    ],
  ])("names the unit of coordinates %s", (_, bags, value) => {
    expect(coordinatesOf(bags)).toBe(value);
  });
});
