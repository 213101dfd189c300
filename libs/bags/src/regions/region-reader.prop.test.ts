import { tokenCount, tokenPlaces } from "@parfocal/geometry";
import { createMemoryStore } from "@parfocal/store";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Bag } from "../bag.ts";
import { readBag, writeBag } from "../bag-store.ts";
import { plantSlide } from "../testing/planted-slide.ts";
import { buildRegionBag } from "./build-region-bag.ts";
import { type IndexedBag, readBlockIndex } from "./indexed-bag.ts";
import { regionOrigins } from "./region-origins.ts";
import { createRegionReader } from "./region-reader.ts";
import { createRegionTokens, gatherTokensInto, type RegionTokens } from "./region-source.ts";

/** A slide with holes, 1 to 4 magnifications: with 4 a block's presence needs three words. */
const slides = fc.record({
  levelCount: fc.integer({ min: 1, max: 4 }),
  size: fc.tuple(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 4 })),
  d: fc.integer({ min: 1, max: 3 }),
  dtype: fc.constantFrom("F16" as const, "F32" as const),
  // The finest tiles of four magnifications span 50 pixels, so rounding stays within the bound of a tenth of a tile.
  coarsePx: fc.double({ min: 400, max: 4000, noNaN: true }),
  anchor: fc.tuple(fc.double({ min: -999, max: 9999, noNaN: true }), fc.double({ min: -999, max: 9999, noNaN: true })),
  holes: fc.integer({ min: 0, max: 12 }),
  seed: fc.integer(),
});

const places = fc.record({
  origin: fc.tuple(fc.integer({ min: -3, max: 4 }), fc.integer({ min: -3, max: 4 })),
  tiles: fc.integer({ min: 1, max: 4 }),
});

interface Opened {
  readonly indexed: IndexedBag;
  readonly store: ReturnType<typeof createMemoryStore>;
  readonly bag: Bag;
}

type Slide = typeof slides extends fc.Arbitrary<infer T> ? T : never;

/** A slide of two magnifications without holes. */
const WHOLE = {
  levelCount: 2,
  dtype: "F16",
  coarsePx: 1792,
  anchor: [100, 40],
  holes: 0,
  seed: 1,
} satisfies Partial<Slide>;

/** Builds the region bag of a slide whose tiles are missing by a hash of their place. */
async function open({ holes, seed, ...slide }: Slide): Promise<Opened | undefined> {
  const hash = (m: number, i: number, j: number) => Math.abs(Math.imul(seed ^ (m * 73 + i * 19 + j), 0x9e3779b1)) % 13;
  const bags = plantSlide({ ...slide, has: (m, i, j) => hash(m, i, j) >= holes });
  if (bags.some(({ n }) => n === 0)) return undefined;
  const store = createMemoryStore();
  const refs = await Promise.all(bags.map((bag) => writeBag(store, "bags/", bag)));
  const steps = buildRegionBag(store, { refs, folder: "regions" });
  for (;;) {
    const step = await steps.next();
    if (step.done !== true) continue;
    const { ref } = step.value;
    return { store, indexed: await readBlockIndex(store, ref), bag: await readBag(store, ref) };
  }
}

/** The oracle: looks every token up among all rows of the bag. */
function naiveTokens({ bag }: Opened, [top, left]: readonly [number, number], tiles: number): RegionTokens {
  const { levelCount = 0, level0StridePx = 0, anchorPx = [0, 0] } = bag.metadata;
  const shape = { regionTiles: tiles, levelCount };
  const out = createRegionTokens(tokenCount(shape), { d: bag.d, dtype: bag.features.dtype });
  for (const [t, { m, i, j }] of tokenPlaces(shape).entries()) {
    const side = level0StridePx / 2 ** m;
    const x = Math.round(anchorPx[0] + (left * 2 ** m + j) * side);
    const y = Math.round(anchorPx[1] + (top * 2 ** m + i) * side);
    for (let row = 0; row < bag.n; row++) {
      const isHere = bag.coords?.[2 * row] === x && bag.coords[2 * row + 1] === y;
      if (!isHere || bag.level?.[row] !== levelCount - 1 - m) continue;
      out.present[t] = 1;
      out.tokens.set(bag.features.data.subarray(row * bag.d, (row + 1) * bag.d), t * bag.d);
    }
  }
  return out;
}

describe("reading a region", () => {
  it("equals looking every tile up, bit for bit, with holes, beyond edges, whatever is read along", async () => {
    await fc.assert(
      fc.asyncProperty(slides, places, fc.constantFrom(0, 100, 100_000), async (slide, place, maxGapBytes) => {
        const opened = await open(slide);
        if (opened === undefined) return;
        const reader = createRegionReader(opened.store, { maxGapBytes });
        const wanted = naiveTokens(opened, place.origin, place.tiles);
        expect(await reader.readRegionTokens(opened.indexed, place)).toEqual(wanted);
        // Into arrays that hold something else.
        const used = createRegionTokens(wanted.present.length, opened.indexed.ref);
        used.tokens.fill(7);
        used.present.fill(1);
        expect(await reader.readRegionTokens(opened.indexed, place, {}, used)).toEqual(wanted);
      }),
      { numRuns: 100 },
    );
  });

  it("gathers any choice of a source's tokens", async () => {
    await fc.assert(
      fc.asyncProperty(slides, places, fc.array(fc.nat(), { maxLength: 30 }), async (slide, place, picks) => {
        const opened = await open(slide);
        if (opened === undefined) return;
        const source = await createRegionReader(opened.store).readSource(opened.indexed, place);
        const whole = naiveTokens(opened, place.origin, place.tiles);
        const indices = Int32Array.from(picks, (pick) => pick % whole.present.length);
        const out = createRegionTokens(indices.length, source);
        gatherTokensInto(source, out, indices);
        const { d } = source;
        expect([...out.present]).toEqual(Array.from(indices, (t) => whole.present[t]));
        expect([...out.tokens]).toEqual([...indices].flatMap((t) => [...whole.tokens.subarray(t * d, (t + 1) * d)]));
      }),
      { numRuns: 50 },
    );
  });

  it("refuses arrays of another size, and a bag that was replaced", async () => {
    const opened = await open({ ...WHOLE, size: [2, 2], d: 2 });
    if (opened === undefined) throw new Error("the slide has no tiles");
    const { store, indexed } = opened;
    const reader = createRegionReader(store);
    const place = { origin: [0, 0], tiles: 2 } as const;
    const small = createRegionTokens(19, indexed.ref);
    await expect(reader.readRegionTokens(indexed, place, {}, small)).rejects.toThrow(
      "tokens of 76 bytes and 19 flags were given for [20, 2] F16",
    );
    await store.put(indexed.ref.key, (await store.get(indexed.ref.key)).bytes);
    await expect(reader.readSource(indexed, place)).rejects.toMatchObject({ code: "PRECONDITION_FAILED" });
  });
});

describe("origins of regions", () => {
  it("are the cells whose regions hold enough tiles of every magnification", async () => {
    const shares = fc.constantFrom(0, 0.3, 0.65, 1);
    await fc.assert(
      fc.asyncProperty(
        slides,
        fc.integer({ min: 1, max: 3 }),
        shares,
        fc.boolean(),
        async (slide, tiles, share, isGrid) => {
          const opened = await open(slide);
          if (opened === undefined) return;
          const { levelCount, tileCounts } = opened.indexed.index;
          const wanted: number[] = [];
          const [first, step] = isGrid ? [0, tiles] : [-tiles, 1];
          for (let line = first; line < 5; line += step) {
            for (let column = first; column < 5; column += step) {
              const { present } = naiveTokens(opened, [line, column], tiles);
              const counts = new Array<number>(levelCount).fill(0);
              for (const [t, { m }] of tokenPlaces({ regionTiles: tiles, levelCount }).entries()) {
                counts[m] = (counts[m] ?? 0) + (present[t] ?? 0);
              }
              const isEnough = counts.every(
                (count, m) => tileCounts[m] === 0 || count >= share * (tiles * 2 ** m) ** 2,
              );
              if (isEnough && counts.some((count) => count > 0)) wanted.push(line, column);
            }
          }
          const options = { regionTiles: tiles, step: isGrid ? "grid" : "every", minPresence: share } as const;
          expect([...regionOrigins(opened.indexed.index, options)]).toEqual(wanted);
        },
      ),
      { numRuns: 40 },
    );
  });

  it("may count some magnifications alone", async () => {
    const opened = await open({ ...WHOLE, size: [1, 2], d: 1 });
    if (opened === undefined) throw new Error("the slide has no tiles");
    const { index } = opened.indexed;
    // The coarse tile of the second cell is taken away.
    const present = index.present.with(1, 0b11110);
    const holey = { ...index, present, tileCounts: [1, 8] };
    const options = { regionTiles: 1, step: "every", minPresence: 1 } as const;
    expect([...regionOrigins(holey, options)]).toEqual([0, 0]);
    expect([...regionOrigins(holey, { ...options, levels: [1] })]).toEqual([0, 0, 0, 1]);
    expect(() => regionOrigins(index, { ...options, minPresence: 2 })).toThrow(
      "minPresence is 2, the bounds are 0 and 1",
    );
  });
});
