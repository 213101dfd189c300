import { createMemoryStore, type ObjectStore } from "@parfocal/store";
import { beforeEach, describe, expect, it } from "vitest";
import { type Bag, type BagRef, readBag, writeBag } from "../index.ts";
import { plantedFeature, plantSlide } from "../testing/planted-slide.ts";
import { type BuildProgress, buildRegionBag, type RegionBuild } from "./build-region-bag.ts";
import { openIndexedBag, readBlockIndex } from "./indexed-bag.ts";
import { createRegionReader } from "./region-reader.ts";
import { TILE_FLAGS } from "./tile-flags.ts";

const SLIDE = { levelCount: 3, size: [2, 3], d: 5 } as const;

let store: ObjectStore;
let refs: BagRef[];
beforeEach(async () => {
  store = createMemoryStore();
  refs = await stored(plantSlide(SLIDE));
});

async function stored(bags: readonly Bag[]): Promise<BagRef[]> {
  const written: BagRef[] = [];
  for (const bag of bags) written.push(await writeBag(store, "bags/", bag));
  return written;
}

async function build(job: Partial<RegionBuild> = {}, signal?: AbortSignal) {
  const steps = buildRegionBag(store, { refs, folder: "regions", ...job }, signal ? { signal } : {});
  const progress: BuildProgress[] = [];
  for (;;) {
    const step = await steps.next();
    if (step.done === true) return { ...step.value, progress };
    progress.push(step.value);
  }
}

/** Flags of a tile of a slide of 2 × 3 cells whose finest tile (3, 5) is missing and whose first middle tile lies off. */
function flagsAt(m: number, i: number, j: number): number {
  const [nRows, nColumns] = [2 * 2 ** m, 3 * 2 ** m];
  const isRim = i === 0 || j === 0 || i === nRows - 1 || j === nColumns - 1;
  const isByHole = m === 2 && Math.abs(i - 3) + Math.abs(j - 5) === 1;
  const isOff = m === 1 && i === 0 && j === 0;
  return (isRim || isByHole ? TILE_FLAGS.edge : 0) + (isOff ? TILE_FLAGS.unaligned : 0);
}

describe("building a region bag", () => {
  it.each(["F16", "F32"] as const)("writes a canonical bag in block order (%s)", async (dtype) => {
    refs = await stored(plantSlide({ ...SLIDE, dtype }));
    const { ref, report, progress, existed } = await build();
    expect(existed).toBe(false);
    expect(progress).toEqual([1, 2, 3].map((nDone) => ({ nDone, nTotal: 3 })));
    expect(ref).toMatchObject({ key: `regions/${ref.digest}.safetensors`, n: 126, d: 5, dtype, hasCoords: true });
    expect(report).toMatchObject({ tileCounts: [6, 24, 96], cellCount: 6, fullCellCount: 6 });
    // The digest and everything that a bag promises are checked by the ordinary reader.
    const bag = await readBag(store, ref);
    expect(bag.metadata).toMatchObject({
      ...{ slideId: "slide", encoder: "virchow2", tilePx: 224, mpp: 0.5, coordUnit: "level0_px" },
      ...{ levelCount: 3, anchorPx: [100, 40], level0StridePx: 1792, importer: "parfocal-regions/2" },
    });
    const values =
      bag.features.dtype === "F16"
        ? new Float16Array(bag.features.data.buffer, bag.features.data.byteOffset, 630)
        : bag.features.data;
    for (let row = 0; row < bag.n; row++) {
      const m = 2 - (bag.level?.[row] ?? 0);
      const side = 1792 / 2 ** m;
      const [j, i] = [((bag.coords?.[2 * row] ?? 0) - 100) / side, ((bag.coords?.[2 * row + 1] ?? 0) - 40) / side];
      const wanted = [0, 1, 2, 3, 4].map((k) => plantedFeature(m, i, j, k));
      expect([...values.subarray(5 * row, 5 * row + 5)]).toEqual(wanted);
    }
  });

  it("joins a slide that lacks named levels; what it says of its finest level is that of the named one", async () => {
    const options = { levelMpps: [2, 1, 0.5] };
    const coarse = await readBag(store, (await build({ refs: refs.slice(0, 1), options })).ref);
    expect(coarse.metadata).toMatchObject({ levelCount: 3, tilePx: 224, mpp: 0.5, level0StridePx: 1792 });
    expect([...(coarse.level ?? [])]).toEqual(new Array(6).fill(2));
    const fine = await build({ refs: refs.slice(2), options });
    expect((await readBag(store, fine.ref)).metadata).toMatchObject({ levelCount: 3, mpp: 0.5, level0StridePx: 1792 });
    expect((await readBlockIndex(store, fine.ref)).index).toMatchObject({ tileCounts: [0, 0, 96] });
  });

  it("keeps with every tile whether it is at an edge or was matched by its centre", async () => {
    const [coarse, middle, fine] = plantSlide({ ...SLIDE, has: (m, i, j) => m !== 2 || i !== 3 || j !== 5 }) as [
      Bag,
      Bag,
      Bag,
    ];
    const coords = Int32Array.from(middle.coords ?? []);
    coords[0] = (coords[0] ?? 0) + 200;
    refs = await stored([coarse, { ...middle, coords }, fine]);
    const { ref } = await build({ options: { matchByCentre: true } });
    const { level = [], flags = [], coords: places = [] } = await readBag(store, ref);
    const wanted = Array.from(level, (value, row) => {
      const m = 2 - value;
      const side = 1792 / 2 ** m;
      return flagsAt(m, ((places[2 * row + 1] ?? 0) - 40) / side, ((places[2 * row] ?? 0) - 100) / side);
    });
    expect([...flags]).toEqual(wanted);
    expect((await readBlockIndex(store, ref)).header.flags).toMatchObject({ dtype: "U8", shape: [125] });
  });

  it("finds the bag the second time, whatever the order of its bags, without reading them", async () => {
    const first = await build();
    for (const { key } of refs) await store.delete(key);
    const again = await build({ refs: refs.toReversed() });
    expect(again).toEqual({ ...first, existed: true, progress: [] });
  });

  it("makes the bag anew where it was deleted, or where the pointer is damaged", async () => {
    const first = await build();
    await store.delete(first.ref.key);
    expect(await build()).toEqual(first);
    const pointer = (await store.list("regions/built/")).objects[0]?.key ?? "";
    await store.put(pointer, Buffer.from("{"));
    expect(await build()).toEqual(first);
    await store.put(pointer, Buffer.from(JSON.stringify({ ref: { ...first.ref, digest: "../../x" } })));
    expect(await build()).toEqual(first);
  });

  it("gives another bag for other options", async () => {
    await build();
    expect((await build({ options: { levelCount: 3, maxOffset: 0.2 } })).existed).toBe(false);
    expect((await build({ options: { levelCount: 3 } })).existed).toBe(true);
  });

  it("refuses by the headers before any features are read", async () => {
    const [coarse, , fine] = refs as [BagRef, BagRef, BagRef];
    await expect(build({ refs: [coarse, fine] })).rejects.toMatchObject({ code: "GEOMETRY_MISMATCH" });
    await expect(build({ refs: [] })).rejects.toThrow("the number of bags is 0");
    expect((await store.list("regions/")).objects).toEqual([]);
  });

  it("refuses a region bag and a bag that is not what its reference says", async () => {
    const { ref } = await build();
    await expect(build({ refs: [ref] })).rejects.toThrow("bag 0 is a region bag already");
    const [damaged] = refs as [BagRef];
    const { bytes } = await store.get(damaged.key);
    await store.put(damaged.key, bytes.with(bytes.length - 40, 1));
    await expect(build({ options: { maxOffset: 0.3 } })).rejects.toMatchObject({ code: "CORRUPT" });
  });

  it("ends when the caller cancels", async () => {
    await expect(build({}, AbortSignal.abort())).rejects.toMatchObject({ code: "CANCELLED" });
  });
});

describe("the block index", () => {
  it("tells which tiles each cell holds", async () => {
    const has = (m: number, i: number, j: number) => m !== 1 || i > 0 || j > 0;
    refs = await stored(plantSlide({ ...SLIDE, has }));
    const { ref } = await build();
    const { index } = await readBlockIndex(store, ref);
    expect(index).toMatchObject({ blockCount: 6, wordCount: 1, tileCounts: [6, 23, 96], levelCount: 3 });
    expect([...index.cells]).toEqual([0, 0, 0, 1, 0, 2, 1, 0, 1, 1, 1, 2]);
    expect([...index.firstRow]).toEqual([0, 20, 41, 62, 83, 104]);
    expect(index.present[0]).toBe(0x1fffff - 2);
    expect(index.present[1]).toBe(0x1fffff);
  });

  it("is left by the build, and found without reading the bag", async () => {
    const { ref } = await build();
    const { index } = await readBlockIndex(store, ref);
    const { bytes } = await store.get(ref.key);
    // Damage beyond the header: a verifying read would notice.
    await store.put(ref.key, bytes.with(bytes.length - 1, 9));
    expect((await openIndexedBag(store, ref, "elsewhere")).index).toEqual(index);
    await store.delete(`regions/index/${ref.digest}.safetensors`);
    await expect(openIndexedBag(store, ref, "elsewhere")).rejects.toMatchObject({ code: "CORRUPT" });
  });

  it("is made of a verified bag where there is none, or a damaged one", async () => {
    const { ref } = await build();
    const { index } = await readBlockIndex(store, ref);
    await store.delete(`regions/index/${ref.digest}.safetensors`);
    expect((await openIndexedBag(store, ref, "elsewhere")).index).toEqual(index);
    const { key } = await store.head(`elsewhere/index/${ref.digest}.safetensors`);
    const { bytes } = await store.get(key);
    for (const damaged of [Buffer.from("x"), bytes.subarray(0, -4), bytes.with(bytes.length - 1, 255)]) {
      await store.put(key, damaged);
      expect((await openIndexedBag(store, ref, "elsewhere")).index).toEqual(index);
      expect((await store.get(key)).bytes).toEqual(bytes);
    }
  });

  it("knows which tiles are stand-ins, from the bag and from its own object; a reader may leave these out", async () => {
    const bag = await readBag(store, (await build()).ref);
    const flags = Uint8Array.from(bag.level ?? [], (level, row) => (level === 2 && row > 0 ? TILE_FLAGS.pseudo : 0));
    const ref = await writeBag(store, "regions/", { ...bag, flags });
    const { index } = await readBlockIndex(store, ref);
    expect([...(index.pseudo ?? [])]).toEqual([0, 1, 1, 1, 1, 1]);
    expect((await openIndexedBag(store, ref, "elsewhere")).index).toEqual(index);
    await store.delete(ref.key);
    await writeBag(store, "regions/", { ...bag, flags });
    const indexed = await openIndexedBag(store, ref, "elsewhere");
    expect(indexed.index).toEqual(index);
    const place = { origin: [0, 0], tiles: 2 } as const;
    const whole = await createRegionReader(store).readRegionTokens(indexed, place);
    const real = await createRegionReader(store, { skipPseudo: true }).readRegionTokens(indexed, place);
    expect([...whole.present.subarray(0, 5)]).toEqual([1, 1, 1, 1, 1]);
    expect([...real.present.subarray(0, 5)]).toEqual([1, 0, 0, 0, 1]);
    expect([...real.tokens.subarray(5, 20)]).toEqual(new Array(15).fill(0));
    expect(real.tokens.subarray(20)).toEqual(whole.tokens.subarray(20));
  });

  it("is refused for a bag of one magnification", async () => {
    await expect(readBlockIndex(store, refs[0] as BagRef)).rejects.toThrow(
      "this is no region bag (it has no level_count)",
    );
  });
});
