import { isDomainError } from "@parfocal/errors";
import { describe, expect, it } from "vitest";
import type { SafetensorsDtype } from "../safetensors/dtype.ts";
import { completeBag } from "./complete-bag.ts";
import type { ImportOptions } from "./imported-bag.ts";
import type { SourceBag } from "./source-bag.ts";

type Numbers = Float64Array | Float32Array | Float16Array | Uint16Array | Int32Array | BigInt64Array;

const tensor = (dtype: SafetensorsDtype, shape: readonly number[], data: Numbers) => ({
  dtype,
  shape,
  data: new Uint8Array(data.buffer),
});

const f32 = (shape: readonly number[], values: readonly number[]) => tensor("F32", shape, Float32Array.from(values));

const sourceOf = (fields: Partial<SourceBag> = {}): SourceBag => ({
  layout: "test",
  features: f32([2, 2], [1, 2, 3, 4]),
  coordUnit: "none",
  claims: {},
  notes: [],
  sourceDigest: "0".repeat(64),
  ...fields,
});

function outcome(fields: Partial<SourceBag>, options: ImportOptions = {}): string {
  try {
    completeBag(sourceOf(fields), "s", options);
  } catch (error) {
    if (isDomainError(error)) return `${error.code}: ${error.message}`;
    throw error;
  }
  return "none";
}

describe("the stride of an import", () => {
  const coords = f32([2, 2], [0, 0, 224, 0]);

  it("is kept in pixels of the tile where the file tells how many pixels of level 0 a tile spans", () => {
    const claims = { tilePx: 256, tileLevel0Px: 512, stride: 384 };
    const source = sourceOf({ layout: "trident-h5", coords, coordUnit: "level0_px", claims });
    const { bag, inferred } = completeBag(source, "s", {});
    expect(bag.metadata).toMatchObject({ stridePx: 192, level0StridePx: 384, importer: "trident-h5/2" });
    expect(inferred.stridePx).toBeUndefined();
  });

  it("is told as inferred, and not kept, where the file states none", () => {
    const { bag, inferred } = completeBag(sourceOf({ coords, coordUnit: "level0_px" }), "s", {});
    expect(inferred.stridePx).toBe(224);
    expect(inferred.notes).toContain("the stride of the tiles is not stated; by their coordinates it is 224 px");
    expect([bag.metadata.stridePx, bag.metadata.level0StridePx]).toEqual([undefined, undefined]);
  });
});

describe("features of an import", () => {
  it("widen exactly from BF16 and narrow with a note from F64", () => {
    const bf16 = tensor("BF16", [1, 2], Uint16Array.of(0x3f80, 0xc049));
    expect([...completeBag(sourceOf({ features: bf16 }), "s", {}).bag.features.data]).toEqual([1, -3.140625]);
    const f64 = tensor("F64", [1, 2], Float64Array.of(0.1, 1e-300));
    const { bag, inferred } = completeBag(sourceOf({ features: f64 }), "s", {});
    expect([...bag.features.data]).toEqual([Math.fround(0.1), 0]);
    expect(inferred.notes).toContain("features narrowed from F64 to F32");
  });

  it("lose a leading axis of one and keep halves as they are", () => {
    const halves = tensor("F16", [1, 2, 2], Float16Array.of(1, 2, 3, 0.1));
    const { bag } = completeBag(sourceOf({ features: halves, coords: f32([1, 2, 2], [0, 1, 2, 3]) }), "s", {});
    expect([bag.n, bag.d, bag.features.dtype]).toEqual([2, 2, "F16"]);
    expect([...(bag.coords ?? [])]).toEqual([0, 1, 2, 3]);
  });

  it.each([
    ["no tiles", f32([0, 4], []), "EMPTY_BAG"],
    ["no tiles in one axis", f32([0], []), "EMPTY_BAG"],
    ["one axis", f32([4], [1, 2, 3, 4]), "SHAPE_MISMATCH: features are [4]: this looks like a slide embedding"],
    ["no axis", f32([], [1]), "SHAPE_MISMATCH"],
    ["three axes", f32([2, 1, 1], [1, 2]), "SHAPE_MISMATCH"],
    ["no columns", f32([2, 0], []), "SHAPE_MISMATCH"],
    ["integers", tensor("I32", [1, 2], Int32Array.of(1, 2)), "UNSUPPORTED_FORMAT"],
    [
      "NaN",
      f32([2, 2], [1, 2, 3, Number.NaN]),
      "NON_FINITE: features hold 1 NaN and 0 infinite values, the first at row 1, column 1",
    ],
    ["F64 beyond F32", tensor("F64", [2, 1], Float64Array.of(1, 1e39)), "NON_FINITE: 1e+39 at row 1, column 0"],
    [
      "an infinite F64",
      tensor("F64", [2, 1], Float64Array.of(Number.NEGATIVE_INFINITY, 1)),
      "NON_FINITE: features hold 0 NaN and 1",
    ],
  ])("are refused with %s", (_name, features, message) => {
    expect(outcome({ features })).toContain(message);
  });
});

describe("coordinates of an import", () => {
  it.each([
    [
      "another length",
      f32([3, 2], [0, 0, 0, 0, 0, 0]),
      "SHAPE_MISMATCH: coords are [3, 2], the features ask for [2, 2]",
    ],
    ["three columns", f32([2, 3], [0, 0, 0, 0, 0, 0]), "SHAPE_MISMATCH"],
    ["halves of pixels", f32([2, 2], [0, 0, 0.5, 0]), "GEOMETRY_MISMATCH: coords hold 0.5 at row 1, column 0"],
    ["NaN", f32([2, 2], [0, Number.NaN, 0, 0]), "NON_FINITE"],
    [
      "too large numbers",
      tensor("I64", [2, 2], BigInt64Array.of(0n, 0n, 0n, 2147483648n)),
      "GEOMETRY_MISMATCH: coords hold 2147483648 px",
    ],
  ])("are refused with %s", (_name, coords, message) => {
    expect(outcome({ coords, coordUnit: "level0_px" })).toContain(message);
  });

  it("in micrometres need a resolution and say what they became", () => {
    const coords = f32([2, 2], [0, 0, 256.004, 512]);
    const um = { coords, coordUnit: "um" as const, claims: { stride: 256 } };
    expect(outcome(um)).toContain("INVALID_ARGUMENT: coordinates are in micrometres and no resolution is known");
    const level0 = completeBag(sourceOf(um), "s", { level0Mpp: 0.25 }).bag;
    expect([[...(level0.coords ?? [])], level0.metadata.level0StridePx]).toEqual([[0, 0, 1024, 2048], 1024]);
    const encoded = completeBag(sourceOf(um), "s", { mpp: 0.5 }).bag;
    expect([[...(encoded.coords ?? [])], encoded.metadata.coordUnit]).toEqual([[0, 0, 512, 1024], "encoded_px"]);
  });

  it("in micrometres are rounded where a pixel measures one, too", () => {
    const source = sourceOf({
      coords: f32([2, 2], [0, 0, 224.00319, 447.996]),
      coordUnit: "um",
      claims: { mpp: 1, stride: 224 },
    });
    expect([...(completeBag(source, "s", {}).bag.coords ?? [])]).toEqual([0, 0, 224, 448]);
    const { coords, metadata } = completeBag(source, "s", { level0Mpp: 1 }).bag;
    expect([[...(coords ?? [])], metadata.coordUnit, metadata.level0StridePx]).toEqual([
      [0, 0, 224, 448],
      "level0_px",
      224,
    ]);
  });

  it("in pixels of the encoded magnification stay so unless both resolutions are known", () => {
    const source = sourceOf({
      coords: f32([2, 2], [0, 0, 224, 448]),
      coordUnit: "encoded_px",
      claims: { mpp: 8 / 7, stride: 224 },
    });
    expect(completeBag(source, "s", {}).bag.metadata.coordUnit).toBe("encoded_px");
    expect([...(completeBag(source, "s", { level0Mpp: 0.5 }).bag.coords ?? [])]).toEqual([0, 0, 512, 1024]);
  });
});

describe("what the caller says", () => {
  it("fills gaps and must not contradict the file", () => {
    const claims = { encoder: "UNI2-h", tilePx: 256, mpp: 0.5, isMppNominal: true };
    const features = f32(
      [1, 1536],
      Array.from({ length: 1536 }, () => 0.5),
    );
    const source = sourceOf({ features, claims });
    const { bag } = completeBag(source, "stem", { slideId: "a", patientId: "p", mpp: 0.46 });
    expect(bag.metadata).toMatchObject({ slideId: "a", patientId: "p", encoder: "uni_v2", tilePx: 256, mpp: 0.46 });
    expect(outcome({ features, claims }, { encoder: "gigapath" })).toContain(
      '"gigapath" was given, the file says "uni_v2"',
    );
    expect(outcome({ features, claims }, { mpp: 0.25 })).toContain(
      "GEOMETRY_MISMATCH: mpp 0.25 was given, the file says 0.5",
    );
    expect(outcome({}, { tilePx: -1 })).toContain("INVALID_ARGUMENT: tilePx is -1");
    expect(outcome({}, { level0Mpp: 0 })).toContain("INVALID_ARGUMENT: level0Mpp is 0");
  });

  it.each([
    ["half of it", { level0Mpp: 0.125 }, "level0Mpp 0.125 was given, the file says 0.25 (up to 10 % apart"],
    ["twice of it", { level0Mpp: 0.5 }, "level0Mpp 0.5 was given, the file says 0.25"],
    ["an eighth more", { level0Mpp: 0.282 }, "level0Mpp 0.282 was given, the file says 0.25"],
    ["what it is at the given mpp", { level0Mpp: 0.23, mpp: 0.54 }, "level0Mpp 0.23 was given, the file says 0.27"],
    ["a scanner's own", { level0Mpp: 0.2528 }, "none"],
    ["at the given mpp", { level0Mpp: 0.264, mpp: 0.54 }, "none"],
  ])("may not contradict the level 0 that tiles of a known size imply: %s", (_name, options, message) => {
    const coords = f32([2, 2], [0, 0, 896, 0]);
    const claims = { tilePx: 448, mpp: 0.5, isMppNominal: true, tileLevel0Px: 896, stride: 896 };
    expect(outcome({ coords, coordUnit: "level0_px", claims }, options)).toContain(message);
  });

  it("of level 0 is kept, and is not filled in from what a file implies", () => {
    const coords = f32([2, 2], [0, 0, 896, 0]);
    const claims = { tilePx: 448, mpp: 0.5, isMppNominal: true, tileLevel0Px: 896, stride: 896 };
    const source = sourceOf({ coords, coordUnit: "level0_px", claims });
    expect(completeBag(source, "s", {}).bag.metadata).not.toHaveProperty("level0Mpp");
    expect(completeBag(source, "s", { level0Mpp: 0.2528 }).bag.metadata.level0Mpp).toBe(0.2528);
    // Without a resolution nothing is implied.
    const { mpp: _, ...unknown } = claims;
    expect(outcome({ coords, coordUnit: "level0_px", claims: unknown }, { level0Mpp: 0.5 })).toBe("none");
    expect(outcome({ coords, coordUnit: "level0_px", claims: unknown }, { level0Mpp: 0.5, mpp: 0.5 })).toContain(
      "level0Mpp 0.5 was given, the file says 0.25",
    );
  });

  it.each([
    ["musk", [1024, 2048]],
    ["midnight12k", [1536, 3072]],
  ])("may be %s at each width in use", (encoder, dimensions) => {
    const errors = dimensions.map((d) => outcome({ features: f32([1, d], Array(d).fill(1)) }, { encoder }));
    expect(errors).toEqual(["none", "none"]);
  });

  it("must fit the number of features that the encoder emits", () => {
    expect(outcome({}, { encoder: "uni_v1" })).toBe(
      "GEOMETRY_MISMATCH: encoder uni_v1 emits 1024 features, the file has 2",
    );
    const { bag, inferred } = completeBag(sourceOf(), "s", { encoder: "our own" });
    expect(bag.metadata.encoder).toBe("our own");
    expect(inferred.notes.join()).toContain("not in the table");
  });
});
