import { describe, expect, it } from "vitest";
import { expectationRecord, expectationText } from "./bag-expectations.ts";

describe("what a model's bags must be of", () => {
  it("is said with its units, and nothing that is not known", () => {
    expect(expectationText({ encoder: "uni_v2", tilePx: 256, mpp: 0.5, stridePx: 224 })).toBe(
      "tiles of 256 px, 0.5 um per px, stride 224 px",
    );
    expect(expectationText({ encoder: "", level0StridePx: 512 })).toBe("stride 512 px of level 0");
    expect(expectationText({ encoder: "", surrogateLevels: "0,1" })).toBe("magnifications 0,1 made up");
    expect(expectationText({ encoder: "", surrogateLevels: "none" })).toBe("");
    expect(expectationText(undefined)).toBe("");
  });

  it("is null for programs where it is not known", () => {
    expect(expectationRecord({ encoder: "uni_v2", stridePx: 224 })).toEqual({
      ...{ encoder: "uni_v2", tilePx: null, mpp: null },
      ...{ stridePx: 224, level0StridePx: null, surrogateLevels: null },
    });
  });
});
