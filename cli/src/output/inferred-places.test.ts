import { describe, expect, it } from "vitest";
import { inferredPlaceLines } from "./inferred-places.ts";

describe("what was concluded from coordinates", () => {
  it("is told with its counts", () => {
    const bags = [
      { stridePx: "256" },
      { stridePx: "224", sharedTiles: "3" },
      { stridePx: "224" },
      { sharedTiles: "1" },
    ];
    expect(inferredPlaceLines(bags)).toEqual([
      "stride inferred from coordinates in 3 bags: 224 px (2), 256 px (1)",
      "4 tiles of 2 bags lie where an earlier one does; the bags keep all",
    ]);
    expect(inferredPlaceLines([{ layout: "npy" }])).toEqual([]);
  });

  it("lists five strides at most", () => {
    const bags = Array.from({ length: 7 }, (_, i) => ({ stridePx: `${200 + i}` }));
    expect(inferredPlaceLines(bags)[0]).toMatch(/ 204 px \(1\), … and 2 others$/u);
  });
});
