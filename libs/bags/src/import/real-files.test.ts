import { existsSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { Bag } from "../bag.ts";
import { importFile } from "./import-file.ts";
import type { ImportedBag, ImportOptions } from "./imported-bag.ts";
import { float64FromTensor } from "./tensor-values.ts";
import { readTorchStateDict } from "./torch/read-torch-state-dict.ts";

/** Real files beside the repository; never copied into it. */
const DATA = new URL("../../../../../shared/data/", import.meta.url);
const hasData = existsSync(new URL("pathology/expected.json", DATA));
if (!hasData) console.warn("real-files.test.ts is skipped: ../shared/data is not beside the repository");

interface Expected {
  readonly n: number;
  readonly d: number;
  readonly sum: number;
  readonly first: readonly number[];
  readonly last: readonly number[];
  readonly coord0_px: readonly number[];
  readonly coord_last_px: readonly number[];
}

const pathOf = (name: string) => new URL(name, DATA).pathname;
const importAll = (name: string, options?: ImportOptions): Promise<ImportedBag[]> =>
  Array.fromAsync(importFile(pathOf(name), options));

async function importOne(name: string, options?: ImportOptions): Promise<ImportedBag> {
  const [imported, ...others] = await importAll(name, options);
  if (!imported || others.length > 0) throw new Error("one bag was expected");
  return imported;
}

function valuesOf({ features, d }: Bag): Float32Array | Float16Array {
  expect(features.data.length % d).toBe(0);
  return features.dtype === "F32"
    ? features.data
    : new Float16Array(features.data.buffer, features.data.byteOffset, features.data.length);
}

describe.skipIf(!hasData)("real tokens of a foundation model", () => {
  const expected = hasData
    ? (JSON.parse(readFileSync(new URL("pathology/expected.json", DATA), "utf8")) as Expected)
    : undefined;
  if (!expected) return;

  it.each([
    ["clam_features.h5", "clam-h5", "F32"],
    ["clam_features.pt", "bare-pt", "F32"],
    ["dict_features.pt", "dict-pt", "F16"],
    ["features.npy", "npy", "F32"],
    ["stamp_tile.h5", "stamp-h5", "F16"],
    ["trident_features.h5", "trident-h5", "F16"],
  ])("%s is read by its layout with its very values", async (file, layout, dtype) => {
    const { bag, inferred } = await importOne(`pathology/${file}`, { level0Mpp: 0.25 });
    expect([inferred.layout, bag.features.dtype, bag.n, bag.d]).toEqual([layout, dtype, expected.n, expected.d]);
    const values = valuesOf(bag);
    const rounded = (numbers: readonly number[]) => numbers.map(dtype === "F16" ? Math.f16round : Math.fround);
    expect([...values.slice(0, 4)]).toEqual(rounded(expected.first));
    expect([...values.slice(-4)]).toEqual(rounded(expected.last));
    if (dtype !== "F32") return;
    // In doubles, 301 056 additions of values near 1 lose less than this whatever their order.
    expect(Math.abs(Float64Array.from(values).reduce((total, value) => total + value, 0) - expected.sum)).toBeLessThan(
      1e-6,
    );
  });

  it.each(["clam_features.h5", "trident_features.h5", "dict_features.pt"])(
    "%s has its coordinates in level-0 pixels",
    async (file) => {
      const { coords } = (await importOne(`pathology/${file}`)).bag;
      expect([coords?.slice(0, 2), coords?.slice(-2)].map((pair) => pair && [...pair])).toEqual([
        expected.coord0_px,
        expected.coord_last_px,
      ]);
    },
  );

  it("all layouts hold the same features", async () => {
    const reference = valuesOf((await importOne("pathology/features.npy")).bag);
    for (const file of ["clam_features.h5", "clam_features.pt"]) {
      expect(valuesOf((await importOne(`pathology/${file}`)).bag)).toEqual(reference);
    }
    const halves = Float16Array.from(reference);
    for (const file of ["dict_features.pt", "stamp_tile.h5", "trident_features.h5"]) {
      expect(valuesOf((await importOne(`pathology/${file}`)).bag)).toEqual(halves);
    }
  });

  it("TRIDENT tells encoder, tile, nominal resolution and stride", async () => {
    const { bag, inferred } = await importOne("pathology/trident_features.h5");
    expect(bag.metadata).toMatchObject({
      encoder: "gigapath",
      tilePx: 256,
      mpp: 0.5,
      level0StridePx: 512,
      coordUnit: "level0_px",
    });
    expect(inferred).toMatchObject({ encoder: "gigapath", tilePx: 256, mpp: 0.5, coordUnit: "level0_px" });
  });

  it("STAMP's micrometres become level-0 pixels when their size is given, and say so when it is not", async () => {
    const given = await importOne("pathology/stamp_tile.h5", { level0Mpp: 0.5 });
    expect(given.bag.metadata).toMatchObject({ coordUnit: "level0_px", level0StridePx: 512, mpp: 256 / 224 });
    expect([...(given.bag.coords?.slice(-2) ?? [])]).toEqual([13 * 512, 13 * 512]);
    const alone = await importOne("pathology/stamp_tile.h5");
    expect(alone.bag.metadata).toMatchObject({ coordUnit: "encoded_px", level0StridePx: 224 });
    expect([...(alone.bag.coords?.slice(-2) ?? [])]).toEqual([13 * 224, 13 * 224]);
    expect(alone.inferred.coordUnit).toBe("um");
  });

  it("a view into a larger storage is read rightly and refused as a slide embedding", async () => {
    const tensors = readTorchStateDict(new Uint8Array(readFileSync(pathOf("pathology/gigapath_tile_view.pt"))));
    const [tensor] = [...tensors.values()];
    expect(tensor?.shape).toEqual([expected.d]);
    // As torch 2.13.0 reads them: row 0 of 197, the class token, which the bags beside it leave out.
    const values = tensor ? float64FromTensor(tensor) : new Float64Array();
    const first = [-0.4880797564983368, 0.9477266669273376, -0.5380439758300781, 0.5230634808540344];
    const last = [-0.8377360105514526, -0.49835526943206787, 0.9777566194534302, 0.41005757451057434];
    expect([...values.slice(0, 4), ...values.slice(-4)]).toEqual([...first, ...last]);
    expect(values.reduce((total, value) => total + value, 0)).toBeCloseTo(14.665300331380422, 9);
    await expect(importOne("pathology/gigapath_tile_view.pt")).rejects.toThrow("looks like a slide embedding");
  });

  it("a contradicting encoder, tile or resolution is refused", async () => {
    for (const options of [{ encoder: "uni_v2" }, { tilePx: 224 }, { mpp: 0.25 }]) {
      await expect(importOne("pathology/trident_features.h5", options)).rejects.toMatchObject({
        code: "GEOMETRY_MISMATCH",
      });
    }
    const agreed = await importOne("pathology/trident_features.h5", {
      encoder: "Prov-GigaPath",
      tilePx: 256,
      mpp: 0.4952,
    });
    expect(agreed.bag.metadata).toMatchObject({ encoder: "gigapath", mpp: 0.4952 });
    await expect(importOne("pathology/clam_features.pt", { encoder: "uni_v1" })).rejects.toMatchObject({
      code: "GEOMETRY_MISMATCH",
    });
  });
});

describe.skipIf(!hasData)("classic multiple-instance sets", () => {
  it.each([
    ["musk1", 476, 166, 47, 45],
    ["elephant", 1391, 230, 100, 100],
    ["fox", 1320, 230, 100, 100],
    ["birds", 10232, 38, 197, 351],
  ])("%s gives all its bags and instances", async (name, nInstances, d, nPositive, nNegative) => {
    const bags = (await importAll(`mil/${name}.csv`)).map(({ bag }) => bag);
    expect(bags.reduce((sum, bag) => sum + bag.n, 0)).toBe(nInstances);
    expect(new Set(bags.map((bag) => bag.d))).toEqual(new Set([d]));
    const nWith = (label: string) => bags.filter((bag) => Number(bag.metadata.sourceLabel) === Number(label)).length;
    expect([nWith("1"), nWith("0")]).toEqual([nPositive, nNegative]);
    expect(new Set(bags.map((bag) => bag.metadata.slideId)).size).toBe(bags.length);
  });
});
