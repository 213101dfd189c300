import { isDomainError } from "@parfocal/errors";
import { describe, expect, it } from "vitest";
import { completeBag } from "../complete-bag.ts";
import type { ImportOptions } from "../imported-bag.ts";
import { float64FromTensor } from "../tensor-values.ts";
import { h5Fixture } from "./fixtures/read-fixture.ts";
import { readH5Source } from "./read-h5-source.ts";

const MATRIX = Array.from({ length: 12 }, (_, index) => index / 4);

const sourceOf = (name: string) => readH5Source(h5Fixture(name), "0".repeat(64));
const importOf = async (name: string, options: ImportOptions = {}) =>
  completeBag(await sourceOf(name), "slide", options);

async function outcome(run: () => Promise<unknown>): Promise<string> {
  try {
    await run();
  } catch (error) {
    if (isDomainError(error)) return `${error.code}: ${error.message}`;
    throw error;
  }
  return "none";
}

describe("readH5Source", () => {
  it.each([
    ["clam", "clam-h5", "level0_px"],
    ["trident", "trident-h5", "level0_px"],
    ["stamp", "stamp-h5", "um"],
    ["stamp-2.0", "stamp-h5", "um"],
    ["stamp-historic", "stamp-h5", "encoded_px"],
    ["hest", "hest-h5", "unknown"],
    ["multiplex", "stamp-multiplex-h5", "unknown"],
    ["gigapath", "gigapath-h5", "unknown"],
    ["leading-one", "clam-h5", "level0_px"],
    ["big-endian", "clam-h5", "level0_px"],
    ["compressed", "features-h5", "none"],
  ])("recognises %s and reads its values", async (name, layout, coordUnit) => {
    const source = await sourceOf(name);
    expect([source.layout, source.coordUnit]).toEqual([layout, coordUnit]);
    expect([...float64FromTensor(source.features)]).toEqual(MATRIX);
  });

  it("takes encoder, tile, nominal resolution and stride from TRIDENT's attributes", async () => {
    const { claims } = await sourceOf("trident");
    expect(claims).toEqual({
      ...{ encoder: "conch_v15", tilePx: 512, mpp: 0.5, isMppNominal: true },
      ...{ tileLevel0Px: 1024, stride: 1024 },
    });
    await expect(importOf("trident", { level0Mpp: 0.5 })).rejects.toMatchObject({
      code: "GEOMETRY_MISMATCH",
      message: "level0Mpp 0.5 was given, the file says 0.25 (up to 10 % apart is taken as equal)",
    });
    // 128 px of overlap at 20x are 256 px at 40x.
    expect((await sourceOf("trident-overlap")).claims.stride).toBe(768);
  });

  it("takes what each generation of STAMP wrote", async () => {
    expect((await sourceOf("stamp")).claims).toEqual({ encoder: "uni2", tilePx: 224, mpp: 256 / 224, stride: 256 });
    expect((await sourceOf("stamp-2.0")).claims).toEqual({ encoder: "ctranspath", stride: 256 });
    expect((await sourceOf("stamp-historic")).claims).toEqual({ tilePx: 224, mpp: 256 / 224, stride: 224 });
  });

  it("gives coordinates of STAMP in level-0 pixels when their size is known", async () => {
    for (const name of ["stamp-2.0", "stamp-historic"]) {
      const claimed = await sourceOf(name);
      const { bag } = completeBag({ ...claimed, claims: { ...claimed.claims, encoder: "ours" } }, "s", {
        level0Mpp: 0.5,
      });
      expect([...(bag.coords ?? [])]).toEqual([0, 0, 512, 0, 0, 512]);
      expect(bag.metadata).toMatchObject({ coordUnit: "level0_px", level0StridePx: 512 });
    }
  });

  it.each([
    ["empty", "EMPTY_BAG: features are [0, 4]"],
    ["empty-flat", "EMPTY_BAG: features are [0]"],
    ["slide-vector", "SHAPE_MISMATCH: features are [4]: this looks like a slide embedding"],
    ["stamp-slide", 'SHAPE_MISMATCH: the file holds "slide" features'],
    ["short-coords", "SHAPE_MISMATCH: coords are [2, 2], the features ask for [3, 2]"],
    ["patches-only", "UNSUPPORTED_FORMAT: no features, feats, patch_embeddings, embeddings among"],
    ["two-features", "UNSUPPORTED_FORMAT: more than one array of features"],
    ["strings", "UNSUPPORTED_FORMAT: an array of the HDF5 file holds no plain numbers"],
    ["group", "UNSUPPORTED_FORMAT"],
    ["virtual", "UNSUPPORTED_FORMAT: an array of the HDF5 file is assembled from other files"],
    ["external-link", "UNSUPPORTED_FORMAT"],
    ["external-storage", "CORRUPT"],
    ["huge-claim", "CORRUPT: an array claims 7200000000 bytes"],
    ["stamp-no-unit", "GEOMETRY_MISMATCH: the file names no unit and its tiles lie 256 apart"],
    ["stamp-millimetres", 'GEOMETRY_MISMATCH: coordinates have the unit "mm"'],
  ])("refuses %s", async (name, message) => {
    expect(await outcome(() => importOf(name))).toContain(message);
  });

  it("refuses bfloat16, and no half precision of either byte order", async () => {
    const half = "11200f0002000000000010000a05000a0f000000";
    const withType = (type: string) => {
      const bytes = Buffer.from(h5Fixture("trident"));
      const at = bytes.indexOf(Buffer.from(half, "hex"));
      expect(at).toBeGreaterThan(0);
      bytes.set(Buffer.from(type, "hex"), at);
      return readH5Source(new Uint8Array(bytes), "");
    };
    for (const order of ["1120", "1121"]) {
      expect((await withType(half.replace("1120", order))).features.dtype).toBe("F16");
      const bfloat16 = `${order}0f000200000000001000070800077f000000`;
      expect(await outcome(() => withType(bfloat16))).toMatch(/^UNSUPPORTED_FORMAT: .* may hold bfloat16/u);
    }
  });

  it("asks for the resolution when micrometres cannot be converted", async () => {
    const source = await sourceOf("stamp-2.0");
    const run = async () => completeBag({ ...source, claims: { stride: 256 } }, "s", {});
    expect(await outcome(run)).toContain("INVALID_ARGUMENT: coordinates are in micrometres");
  });

  it("says that a file is cut, wherever it is cut", async () => {
    const bytes = h5Fixture("clam");
    for (const length of [9, 100, 500, 1000, bytes.length - 1]) {
      expect(await outcome(() => readH5Source(bytes.slice(0, length), ""))).toMatch(/^(TRUNCATED|CORRUPT)/u);
    }
    expect(await outcome(() => readH5Source(bytes.slice(0, -1), ""))).toMatch(/^TRUNCATED/u);
    expect(await outcome(() => importOf("clam"))).toBe("none");
  });
});
