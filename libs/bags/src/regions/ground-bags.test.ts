import { describe, expect, it } from "vitest";
import type { Bag, BagMetadata } from "../bag.ts";
import { plantSlide } from "../testing/planted-slide.ts";
import { groundBags } from "./ground-bags.ts";
import { type RegionOptions, resolveRegionOptions } from "./region-options.ts";
import { TILE_FLAGS } from "./tile-flags.ts";

const SLIDE = { levelCount: 3, size: [2, 3], d: 2 } as const;

function ground(bags: readonly Bag[], options: RegionOptions = {}) {
  return groundBags(bags, resolveRegionOptions(options, bags.length));
}

/** The bags with one of them changed. */
function changed(
  bags: readonly Bag[],
  at: number,
  change: Partial<Omit<Bag, "metadata">> & { metadata?: BagMetadata },
) {
  return bags.map((bag, index) => {
    return index === at ? { ...bag, ...change, metadata: { ...bag.metadata, ...change.metadata } } : bag;
  });
}

function without(bag: Bag | undefined, ...fields: (keyof BagMetadata)[]): BagMetadata {
  return Object.fromEntries(Object.entries(bag?.metadata ?? {}).filter(([field]) => !fields.includes(field as never)));
}

function shifted(bag: Bag | undefined, x: number, y: number): Int32Array {
  return Int32Array.from(bag?.coords ?? [], (value, at) => value + (at % 2 === 0 ? x : y));
}

describe("grounding the bags of a slide", () => {
  it("puts cells row by row, each with its tiles from coarse to fine", () => {
    const slide = ground(plantSlide(SLIDE));
    expect(slide).toMatchObject({ n: 6 * 21, anchorPx: [100, 40], coarsePx: 1792, finestBag: 2 });
    expect([...slide.level.subarray(0, 21)]).toEqual([2, 1, 1, 1, 1, ...new Array<number>(16).fill(0)]);
    // The second cell: its coarse tile, then the four tiles under it.
    expect([...slide.coords.subarray(42, 52)]).toEqual([1892, 40, 1892, 40, 2788, 40, 1892, 936, 2788, 936]);
    expect(slide.report).toEqual({
      ...{ tileCounts: [6, 24, 96], cellCount: 6, fullCellCount: 6, coarseTilePx: 1792 },
      ...{ largestOffsets: [0, 0, 0], unalignedCount: 0, decimatedCount: 0, surrogateLevels: [] },
    });
  });

  it("gives the same slide whatever the order of bags and rows", () => {
    const bags = plantSlide(SLIDE);
    const reversed = bags.map((bag): Bag => {
      const coords = Int32Array.from({ length: 2 * bag.n }, (_, at) => {
        return bag.coords?.[2 * (bag.n - 1 - (at >> 1)) + (at & 1)] ?? 0;
      });
      return { ...bag, coords };
    });
    const [a, b] = [ground(bags), ground(reversed.toReversed())];
    expect(b.coords).toEqual(a.coords);
    expect(b.level).toEqual(a.level);
    // Rows count from the other end now, bags too.
    expect([...b.bag]).toEqual(Array.from(a.bag, (bag) => 2 - bag));
    expect([...b.row]).toEqual(Array.from(a.row, (row, at) => (bags[a.bag[at] ?? 0]?.n ?? 0) - 1 - row));
  });

  it("grounds fractional grids with corners around a cell's edge", () => {
    const grid = { coarsePx: 1773.4, anchor: [-0.3, 1773.2] } as const;
    const slide = ground(plantSlide({ ...SLIDE, ...grid }));
    expect(slide.report.tileCounts).toEqual([6, 24, 96]);
    expect(slide.anchorPx[0]).toBeCloseTo(0, 0);
    expect(slide.anchorPx[1]).toBeCloseTo(1773, 0);
    expect(Math.max(...slide.report.largestOffsets)).toBeLessThan(0.01);
  });

  it("begins at the first cell that any magnification has, and leaves absent tiles out", () => {
    const has = (m: number, i: number, j: number) => (m === 0 ? i === 1 && j === 1 : !(m === 2 && i === 7 && j === 11));
    const slide = ground(plantSlide({ ...SLIDE, has }));
    expect(slide.anchorPx).toEqual([100, 40]);
    expect(slide.report).toMatchObject({ tileCounts: [1, 24, 95], cellCount: 6, fullCellCount: 1 });
  });

  it("takes the side from tile and resolutions where the file has no stride", () => {
    const bags = plantSlide(SLIDE).map((bag) => {
      return { ...bag, metadata: { ...without(bag, "level0StridePx"), level0Mpp: 0.25 } };
    });
    expect(ground(bags).coarsePx).toBe(1792);
  });

  it("lets a magnification between the ends be missing", () => {
    const [coarse, , fine] = plantSlide(SLIDE);
    const slide = ground([coarse, fine] as Bag[], { levelCount: 3 });
    expect(slide.report).toMatchObject({ tileCounts: [6, 0, 96], fullCellCount: 0 });
  });

  it.each([
    ["the coarsest", [1, 2], [0, 24, 96]],
    ["the finest", [0, 1], [6, 24, 0]],
    ["both ends", [1], [0, 24, 0]],
    ["all but the coarsest", [0], [6, 0, 0]],
    ["all but the finest", [2], [0, 0, 96]],
    ["the one between", [0, 2], [6, 0, 96]],
    ["none", [0, 1, 2], [6, 24, 96]],
  ])("lets any named magnification be missing: %s", (_which, kept, tileCounts) => {
    // Far from level 0's corner: the first tiles that are there begin a coarse cell.
    const bags = plantSlide({ ...SLIDE, anchor: [1000, 440] });
    const slide = ground(kept.flatMap((at) => bags[at] ?? []).toReversed(), { levelMpps: [2, 1, 0.5] });
    expect(slide).toMatchObject({ levelCount: 3, coarsePx: 1792, anchorPx: [1000, 440] });
    expect(slide.report).toMatchObject({ tileCounts, cellCount: 6, coarseTilePx: 1792 });
    // What is there lies where it lies when all is there.
    const whole = ground(bags);
    const rows = [...whole.level.keys()].filter((row) => kept.includes(2 - (whole.level[row] ?? 0)));
    expect([...slide.level]).toEqual(rows.map((row) => whole.level[row]));
    expect([...slide.coords]).toEqual(rows.flatMap((row) => [...whole.coords.subarray(2 * row, 2 * row + 2)]));
  });

  it("tells named magnifications by the measured resolution, up to a tenth, and not by the nominal one", () => {
    const [, middle] = plantSlide(SLIDE) as [Bag, Bag, Bag];
    // Nominally 10x; at 0.27 um per pixel of level 0 its 896 pixels a tile make 1.08.
    const measured = { ...middle, metadata: { ...middle.metadata, level0Mpp: 0.27 } };
    expect(ground([measured], { levelMpps: [2, 1, 0.5] }).report.tileCounts).toEqual([0, 24, 0]);
    const other = { ...middle, metadata: { ...middle.metadata, level0Mpp: 0.2825 } };
    expect(() => ground([other], { levelMpps: [2, 1, 0.5] })).toThrow(
      "bag 0 has 1.13 um per pixel: none of the named levels (2, 1, 0.5) is within 10 %",
    );
    const unknown = { ...middle, metadata: without(middle, "mpp") };
    expect(() => ground([unknown], { levelMpps: [2, 1] })).toThrow("the resolution of bag 0 is not known");
  });

  it("refuses bags whose sides and resolutions tell of different magnifications", () => {
    const bags = changed(plantSlide(SLIDE), 2, { metadata: { mpp: 1, tilePx: 112 } }).slice(1);
    expect(() => ground(bags, { levelMpps: [2, 1, 0.5] })).toThrow(
      "tiles of bag 1 span 448 px, which makes it level 2 (0: the coarsest); its resolution is that of level 1",
    );
  });

  it("says of tiles that were matched by their centre that they are unaligned", () => {
    const bags = plantSlide(SLIDE);
    const coords = Int32Array.from(bags[1]?.coords ?? []);
    coords[0] = (coords[0] ?? 0) + 200;
    const moved = changed(bags, 1, { coords });
    const slide = ground(moved, { matchByCentre: true });
    const flagged = [...slide.flags.keys()].filter((tile) => slide.flags[tile] === TILE_FLAGS.unaligned);
    expect(flagged.map((tile) => [slide.bag[tile], slide.row[tile]])).toEqual([[1, 0]]);
    expect(slide.report.unalignedCount).toBe(1);
  });

  it("knows from the stride in pixels of the tile that all bags overlap alike", () => {
    // Without it three bags of half the stride look like tiles of half the side.
    const alike = plantSlide({ ...SLIDE, coarsePx: 896, size: [4, 6] }).map((bag): Bag => {
      return { ...bag, metadata: { ...bag.metadata, stridePx: 112 } };
    });
    expect(() => ground(alike)).toThrow("bag 0 has tiles of 1792 px that lie 896 px apart: they overlap");
    const { report, coarsePx } = ground(alike, { decimateOverlap: true });
    expect(coarsePx).toBe(1792);
    expect(report).toMatchObject({ tileCounts: [6, 24, 96], decimatedCount: 3 * 126 });
    const skewed = alike.map((bag): Bag => ({ ...bag, metadata: { ...bag.metadata, stridePx: 196 } }));
    expect(() => ground(skewed)).toThrow("neither divides the other");
  });

  it("thins overlapping tiles out to the phase of the grid when asked to", () => {
    const bags = plantSlide(SLIDE);
    const dense = plantSlide({ ...SLIDE, coarsePx: 896, size: [4, 6] })[2] as Bag;
    const overlapping = { ...dense, metadata: { ...dense.metadata, level0StridePx: 224 } };
    const all = [...bags.slice(0, 2), overlapping];
    expect(() => ground(all)).toThrow("bag 2 has tiles of 448 px that lie 224 px apart: they overlap");
    const { report } = ground(all, { decimateOverlap: true });
    expect(report).toMatchObject({ tileCounts: [6, 24, 96], decimatedCount: 4 * 96 - 96, fullCellCount: 6 });
  });

  it("thins an overlapping coarsest magnification out to its fullest phase", () => {
    const dense = plantSlide({ levelCount: 1, size: [3, 3], d: 1, coarsePx: 896 })[0] as Bag;
    // Of a second bag one learns that tiles span two strides.
    const fine = plantSlide({ levelCount: 2, size: [2, 2], d: 1 })[1] as Bag;
    const { report, anchorPx } = ground([dense, fine], { decimateOverlap: true });
    expect(anchorPx).toEqual([100, 40]);
    expect(report).toMatchObject({ tileCounts: [4, 16], decimatedCount: 5, coarseTilePx: 1792 });
  });
});

describe("bags that form no regions", () => {
  const bags = plantSlide(SLIDE);

  it("are refused with the measured offset when one lies off the grid, and matched by centres when asked to", () => {
    const off = changed(bags, 2, { coords: shifted(bags[2], 179, -90) });
    const measured = "96 of 96 tiles, their median offset (x 0.400, y -0.201) tiles of 448 px, the bound is 0.1";
    expect(() => ground(off)).toThrow(`bag 2 lies off the grid of the coarsest: ${measured}`);
    const { report } = ground(off, { matchByCentre: true });
    expect(report).toMatchObject({ tileCounts: [6, 24, 96], unalignedCount: 96 });
    expect(report.largestOffsets[2]).toBeCloseTo(0.3996, 3);
  });

  it("are refused with the offset of the tiles that lie off, however many lie right", () => {
    const fine = Int32Array.from(bags[2]?.coords ?? []);
    for (let row = 0; row < 96; row += 3) fine[2 * row] = (fine[2 * row] ?? 0) + 112;
    const measured = "32 of 96 tiles, their median offset (x 0.250, y 0.000) tiles of 448 px, the bound is 0.1";
    expect(() => ground(changed(bags, 2, { coords: fine }))).toThrow(measured);
  });

  it("are refused when sides are no powers of 2 apart, naming both", () => {
    const wrong = changed(bags, 2, { metadata: { level0StridePx: 600, mpp: 0.67 } });
    expect(() => ground(wrong)).toThrow("tiles of bag 1 span 896 px, those of bag 2 600 px: the ratio 1.4933");
    const same = [bags[0], bags[0]] as Bag[];
    expect(() => ground(same)).toThrow("tiles of bag 0 span 1792 px, those of bag 1 1792 px: the ratio 1 ");
    const gap = [bags[0], bags[2]] as Bag[];
    expect(() => ground(gap)).toThrow("bag 0 span 1792 px, those of bag 1 448 px: that is a span of 3 magnifications");
    expect(() => ground(bags.slice(1), { levelCount: 3 })).toThrow(
      "a span of 2 magnifications, levelCount is 3; only those between may be missing, unless levelMpps names all levels",
    );
  });

  it("are refused when tiles and strides fit no grid", () => {
    const gappy = changed(bags, 0, { metadata: { level0StridePx: 1344 } });
    expect(() => ground(gappy)).toThrow("bag 0 has tiles of 1792 px that lie 1344 px apart: neither divides the other");
  });

  it("are refused when two tiles share a cell, unless they are the same", () => {
    const [, middle] = bags as [Bag, Bag, Bag];
    const coords = Int32Array.from(middle.coords ?? []);
    coords.set(coords.subarray(0, 2), 2);
    expect(() => ground(changed(bags, 1, { coords }))).toThrow("rows 0 and 1 of bag 1 lie in one cell with different");
    const data = Uint16Array.from(middle.features.data);
    data.copyWithin(2, 0, 2);
    const { report } = ground(changed(bags, 1, { coords, features: { dtype: "F16", data } }));
    expect(report).toMatchObject({ tileCounts: [6, 23, 96], decimatedCount: 1 });
  });

  it("are refused when they are of different slides, without naming these", () => {
    const others = changed(bags, 1, { metadata: { slideId: "secret" } });
    expect(() => ground(others)).toThrow(/^the slide of bag 0 and of bag 1 differ; a region is of one slide$/);
    const patients = changed(changed(bags, 0, { metadata: { patientId: "a" } }), 1, { metadata: { patientId: "b" } });
    expect(() => ground(patients)).toThrow(/^the patient of bag 0 and of bag 1 differ; a region is of one slide$/);
  });

  it("are refused when encoders, widths or element types differ, naming both", () => {
    const encoders = changed(bags, 2, { metadata: { encoder: "uni_v2" } });
    expect(() => ground(encoders)).toThrow("the encoder of bag 0 and of bag 2 differ (virchow2 and uni_v2)");
    const widths = [...bags.slice(0, 2), plantSlide({ ...SLIDE, d: 3 })[2]] as Bag[];
    expect(() => ground(widths)).toThrow("features per tile of bag 0 and of bag 2 differ (2 and 3)");
    const dtypes = [...bags.slice(0, 2), plantSlide({ ...SLIDE, dtype: "F32" })[2]] as Bag[];
    expect(() => ground(dtypes)).toThrow("the element type of bag 0 and of bag 2 differ (F16 and F32)");
  });

  it("are refused when their geometry is not known, saying what to give", () => {
    const { coords: _, ...bare } = bags[0] as Bag;
    expect(() => ground([bare])).toThrow("bag 0 has no coordinates");
    const unknown = plantSlide(SLIDE).map((bag) => ({ ...bag, metadata: without(bag, "level0StridePx") }));
    expect(() => ground(unknown)).toThrow(
      "the side of bag 0's tiles on level 0 is not known: give tilePx, mpp and level0Mpp when importing it",
    );
    const encoded = changed(bags, 1, { metadata: { coordUnit: "encoded_px" } });
    expect(() => ground(encoded)).toThrow(
      "bag 1 counts coordinates in pixels of its own magnification; give level0Mpp",
    );
  });

  it("are refused with options out of bounds", () => {
    expect(() => ground([])).toThrow("the number of bags is 0, the bounds are 1 and 5");
    expect(() => ground(bags, { levelCount: 2 })).toThrow("levelCount is 2, the bounds are 3 and 5");
    expect(() => ground(bags, { maxOffset: 0.6 })).toThrow("maxOffset is 0.6, the bounds are 0 and 0.5");
    expect(() => ground(bags, { ratioTolerance: Number.NaN })).toThrow("ratioTolerance is NaN");
    const named = (...levelMpps: number[]) => ground(bags, { levelMpps });
    expect(() => named(2, 1)).toThrow("the number of levelMpps is 2; it is 3 to 5");
    expect(() => named(2, 1, 0.4)).toThrow("levelMpps[2] is 0.4; it is half the one before (0.5)");
    expect(() => named(0.5, 1, 2)).toThrow("levelMpps[1] is 1; it is half the one before (0.25)");
    expect(() => named(2, 1, Number.NaN)).toThrow("levelMpps[2] is NaN; it is finite and above 0");
    expect(() => ground(bags, { levelCount: 4, levelMpps: [2, 1, 0.5] })).toThrow(
      "levelCount is 4, the bounds are 3 and 3",
    );
  });
});
