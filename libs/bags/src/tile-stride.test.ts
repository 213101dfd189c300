import { describe, expect, it } from "vitest";
import { encodeBagMetadata, parseBagMetadata } from "./bag-metadata.ts";
import { tileStridePx } from "./tile-stride.ts";

describe("tileStridePx", () => {
  it.each([
    ["stated", { stridePx: 192, level0StridePx: 999, level0Mpp: 0.25, mpp: 0.5 }, 192],
    ["of level 0 where its scale is known", { level0StridePx: 512, level0Mpp: 0.25, mpp: 0.5 }, 256],
    ["of coordinates that count these pixels", { level0StridePx: 224, coordUnit: "encoded_px" }, 224],
    ["of a region bag's finest", { level0StridePx: 2048, level0Mpp: 0.25, mpp: 0.5, levelCount: 3 }, 256],
    ["unknown where the scale is", { level0StridePx: 512, mpp: 0.5 }, undefined],
    ["unknown where nothing is stated", {}, undefined],
  ] as const)("is %s", (_what, metadata, expected) => {
    expect(tileStridePx(metadata)).toBe(expected);
  });

  it("is kept by the metadata of a stored bag", () => {
    expect(encodeBagMetadata({ stridePx: 192 })).toMatchObject({ stride_px: "192" });
    expect(parseBagMetadata(encodeBagMetadata({ stridePx: 192 })).stridePx).toBe(192);
  });
});
