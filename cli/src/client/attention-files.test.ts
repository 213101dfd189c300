import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { commonV1, gatewayV1 } from "@parfocal/protocol";
import { parquetReadObjects } from "hyparquet";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { ScoreMap } from "../report/index.ts";
import { createPicture, encodePng } from "../report/picture.ts";
import { attentionMapsOf, writeAttention, writeMeaning } from "./attention-files.ts";
import { createDrawer } from "./draw-attention.ts";

const { COORDINATE_UNIT_LEVEL0_PX, COORDINATE_UNIT_ENCODED_PX } = gatewayV1.BagInfo_CoordinateUnit;

let thumbnails: string;
let folder: string;
beforeAll(async () => {
  thumbnails = await mkdtemp(join(tmpdir(), "parfocal-attention-"));
  await writeFile(join(thumbnails, "stamp.png"), encodePng(createPicture(100, 100, [200, 200, 200])));
});
beforeEach(async () => {
  folder = await mkdtemp(join(thumbnails, "maps-"));
});
afterAll(() => rm(thumbnails, { recursive: true, force: true }));

function arrayOf(shape: number[], values: readonly number[]): commonV1.ArrayResult {
  const bytes = Buffer.from(Float32Array.from(values).buffer);
  return commonV1.ArrayResult.fromPartial({ shape, value: { $case: "inline", value: bytes } });
}

/** The maps of a bag of two tiles, 224 apart in its unit. */
async function mapsOf(info: Partial<gatewayV1.BagInfo>): Promise<readonly ScoreMap[]> {
  const bag = gatewayV1.Bag.fromPartial({ info: { level0StridePx: 224, ...info } });
  const weights = arrayOf([2, 1], [0.25, 0.75]);
  const coordinates = arrayOf([2, 2], [0, 0, 2240, 2240]);
  const attention = gatewayV1.TileAttention.fromPartial({ weights, coordinates, mapLabels: [""] });
  return attentionMapsOf(bag, attention, {}, new AbortController().signal);
}

const encoded = () => mapsOf({ coordinateUnit: COORDINATE_UNIT_ENCODED_PX });
const REFUSAL =
  /^failed: maps of stamp: GEOMETRY_MISMATCH: coordinates count pixels of the encoded magnification \(encoded_px\), (?:GeoJSON|an overlay) needs level-0 pixels: import the file again by parfocal import --level0-mpp/;

describe("the unit of a map", () => {
  it.each([
    ["level-0 pixels", { coordinateUnit: COORDINATE_UNIT_LEVEL0_PX }, "level0_px"],
    ["pixels of the encoded magnification", { coordinateUnit: COORDINATE_UNIT_ENCODED_PX }, "encoded_px"],
    ["level-0 pixels where the bag does not say", {}, "level0_px"],
    ["level-0 pixels where the gateway is older", gatewayV1.BagInfo.decode(new Uint8Array()), "level0_px"],
    ["no guess where the gateway is newer", gatewayV1.BagInfo.decode(Uint8Array.of(11 << 3, 9)), "unknown"],
  ])("is %s", async (_, info, unit) => {
    expect((await mapsOf(info)).map(({ coordUnit }) => coordUnit)).toEqual([unit]);
  });
});

describe("what came with the weights", () => {
  const signal = new AbortController().signal;
  const meaning = { kind: commonV1.MapMeaning_Kind.KIND_CLASS_SCORE, description: "the tile's own class score" };
  const model = gatewayV1.Model.fromPartial({ name: "m", head: "max", task: { classes: ["no", "yes"] } });
  const attention = gatewayV1.TileAttention.fromPartial({
    weights: arrayOf([2, 2], [0.25, -0.75, 1, 2]),
    percentiles: arrayOf([2, 2], [75, 25, 25, 75]),
    coordinates: arrayOf([2, 2], [0, 0, 2240, 2240]),
    mapLabels: ["no", "yes"],
    meanings: [meaning, meaning],
  });

  it("is used as it came, map by map", async () => {
    const bag = gatewayV1.Bag.fromPartial({ info: { level0StridePx: 224 } });
    const maps = await attentionMapsOf(bag, attention, {}, signal);
    expect(maps.map(({ label, areClassScores }) => [label, areClassScores])).toEqual([
      ["no", true],
      ["yes", true],
    ]);
    expect(maps.map(({ values }) => [...values])).toEqual([
      [0.25, 1],
      [-0.75, 2],
    ]);
    expect(maps.map(({ percentiles }) => [...(percentiles ?? [])])).toEqual([
      [75, 25],
      [25, 75],
    ]);
    await writeAttention("stamp", maps, { geojson: folder });
    expect(await readFile(join(folder, "stamp.yes.geojson"), "utf8")).toContain('"class score percentile":75');
  });

  it("tells people what it is", async () => {
    await writeMeaning(model, attention.meanings, folder);
    const scores = await readFile(join(folder, "about.txt"), "utf8");
    expect(scores).toContain("score       the tile's own class score.\n");
    expect(scores).toContain("Scores have any sign and sum to nothing.");
    expect(scores).not.toMatch(/times_even|never negative|weight/);
    await writeMeaning(model, [], folder);
    const weights = await readFile(join(folder, "about.txt"), "utf8");
    expect(weights).toContain("score       the weight that the head gives to the tile.\n");
    for (const words of ["never negative and sum to 1", "times_even"]) expect(weights).toContain(words);
  });
});

describe("files of coordinates that are no level-0 pixels", () => {
  it("are no GeoJSON: nothing of the slide is written, the other slides are", async () => {
    const drawer = await createDrawer({ geojson: folder, heatmaps: folder }, 2);
    await drawer.draw("stamp", await encoded());
    expect(await readdir(folder)).toEqual([]);
    await drawer.draw("clam", await mapsOf({}));
    expect((await readdir(folder)).sort()).toEqual(
      ["geojson", "png", "tiles.parquet", "top-tiles.csv"].map((ending) => `clam.${ending}`),
    );
    expect(drawer.hasFailed()).toBe(true);
    expect(drawer.remarks()).toEqual([expect.stringMatching(REFUSAL)]);
  });

  it("are no overlay: nothing of the slide is written", async () => {
    const drawer = await createDrawer({ heatmaps: folder, thumbnail: thumbnails, thumbnailDownsample: 32 }, 2);
    await drawer.draw("stamp", await encoded());
    expect(await readdir(folder)).toEqual([]);
    expect(drawer.remarks()).toEqual([expect.stringMatching(REFUSAL)]);
  });

  it("are a heatmap, which has no scale, and tables that name the unit", async () => {
    const drawer = await createDrawer({ heatmaps: folder }, 1);
    await drawer.draw("stamp", await encoded());
    expect([drawer.hasFailed(), drawer.remarks()]).toEqual([false, []]);
    expect((await readdir(folder)).sort()).toEqual(
      ["png", "tiles.parquet", "top-tiles.csv"].map((ending) => `stamp.${ending}`),
    );
    const [header, first] = (await readFile(join(folder, "stamp.top-tiles.csv"), "utf8")).split(/\r?\n/);
    expect(header).toBe("map,end,rank,tile,x,y,side,unit,score,percentile,times_even");
    expect(first).toBe("all classes,top,1,1,2240,2240,224,encoded_px,0.75,75,1.5");
  });
});

describe("files of bags without coordinates", () => {
  it("are tables that name tiles by their row", async () => {
    const attention = gatewayV1.TileAttention.fromPartial({
      weights: arrayOf([3, 1], [0.5, 0.125, 0.375]),
      percentiles: arrayOf([3, 1], [250 / 3, 50 / 3, 50]),
    });
    const bag = gatewayV1.Bag.fromPartial({ info: { level0StridePx: 224 } });
    const maps = await attentionMapsOf(bag, attention, {}, new AbortController().signal);
    const wish = { heatmaps: folder, geojson: folder, thumbnail: thumbnails, thumbnailDownsample: 32, topTiles: 1 };
    const drawer = await createDrawer(wish, 1);
    await drawer.draw("stamp", maps);
    expect(drawer.hasFailed()).toBe(false);
    expect(drawer.remarks()).toEqual(["1 bag without coordinates: no map was drawn, tables name tiles by their row"]);
    expect((await readdir(folder)).sort()).toEqual(["stamp.tiles.parquet", "stamp.top-tiles.csv"]);
    const lines = (await readFile(join(folder, "stamp.top-tiles.csv"), "utf8")).trim().split(/\r?\n/);
    expect(lines.map((line) => line.split(",").slice(0, 9).join())).toEqual([
      "map,end,rank,tile,x,y,side,unit,score",
      "all classes,top,1,0,,,,,0.5",
      "all classes,bottom,1,1,,,,,0.125",
    ]);
    const { buffer } = Uint8Array.from(await readFile(join(folder, "stamp.tiles.parquet")));
    const rows = await parquetReadObjects({ file: buffer });
    expect(rows.map(({ tile, x, unit, score }): unknown[] => [Number(tile), x, unit, score])).toEqual([
      [0, null, null, 0.5],
      [1, null, null, 0.125],
      [2, null, null, 0.375],
    ]);
  });

  it("are not there where only GeoJSON is wished", async () => {
    const { coords: _, ...unplaced } = (await mapsOf({}))[0] ?? expect.unreachable("no map");
    const drawer = await createDrawer({ geojson: folder }, 1);
    await drawer.draw("stamp", [unplaced]);
    expect(await readdir(folder)).toEqual([]);
    expect(drawer.remarks()).toEqual(["1 bag without coordinates: no map was drawn"]);
  });
});

describe("files of bags that do not say their unit", () => {
  it("are GeoJSON and overlays as before", async () => {
    const wish = { geojson: folder, heatmaps: folder, thumbnail: thumbnails, thumbnailDownsample: 32 };
    const drawer = await createDrawer(wish, 1);
    await drawer.draw("stamp", await mapsOf({}));
    expect([drawer.hasFailed(), drawer.remarks()]).toEqual([false, []]);
    expect(await readdir(folder)).toEqual(expect.arrayContaining(["stamp.geojson", "stamp.overlay.png"]));
  });
});
