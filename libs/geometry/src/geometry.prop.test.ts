import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { blockOrder, slotCount } from "./block.ts";
import { cropIndices } from "./crop.ts";
import { DIHEDRAL_ELEMENTS, type DihedralElement, dihedralIndices } from "./dihedral.ts";
import { levelOffset, levelSide, magnificationFromLevel, type RegionShape, tokenCount } from "./region-shape.ts";
import { childrenOf, parentOf, tokenIndex, tokenPlaces } from "./token.ts";
import { createViewTable } from "./views.ts";

const shapes: fc.Arbitrary<RegionShape> = fc.record({
  regionTiles: fc.integer({ min: 1, max: 4 }),
  levelCount: fc.integer({ min: 1, max: 3 }),
});
const elements = fc.constantFrom(...DIHEDRAL_ELEMENTS);

/** A source, a region in it and where it lies. */
const crops = shapes.chain((shape) =>
  fc.integer({ min: 0, max: 4 }).chain((room) => {
    const at = fc.integer({ min: 0, max: room });
    return fc.record({
      shape: fc.constant(shape),
      sourceTiles: fc.constant(shape.regionTiles + room),
      offset: fc.tuple(at, at),
    });
  }),
);

function gather(values: ArrayLike<number>, indices: Int32Array): number[] {
  return Array.from(indices, (index) => values[index] ?? Number.NaN);
}

/** Image of one magnification turned by plain loops over rows: the oracle of the index vectors. */
function turned(image: readonly (readonly number[])[], element: DihedralElement): number[][] {
  const transposed = image.map((_, i) => image.map((row) => row[i] ?? Number.NaN));
  const upsideDown = (rows: readonly (readonly number[])[]) => rows.map((row) => [...row]).reverse();
  const mirrored = (rows: readonly (readonly number[])[]) => rows.map((row) => [...row].reverse());
  const turns = {
    identity: () => mirrored(mirrored(image)),
    rot90: () => upsideDown(transposed),
    rot180: () => upsideDown(mirrored(image)),
    rot270: () => mirrored(transposed),
    "flip-lr": () => mirrored(image),
    "flip-ud": () => upsideDown(image),
    transpose: () => transposed,
    "anti-transpose": () => upsideDown(mirrored(transposed)),
  };
  return turns[element]();
}

describe("turning a region (M2)", () => {
  it("turns the image of every magnification", () => {
    fc.assert(
      fc.property(shapes, elements, (shape, element) => {
        const indices = dihedralIndices(shape, element);
        for (let m = 0; m < shape.levelCount; m++) {
          const side = levelSide(m, shape.regionTiles);
          const offset = levelOffset(m, shape.regionTiles);
          const image = Array.from({ length: side }, (_, i) =>
            Array.from({ length: side }, (__, j) => offset + i * side + j),
          );
          const part = indices.subarray(offset, offset + side * side);
          expect([...part]).toEqual(turned(image, element).flat());
        }
      }),
    );
  });

  it("is a group of bijections", () => {
    fc.assert(
      fc.property(shapes, elements, elements, (shape, first, second) => {
        const all = DIHEDRAL_ELEMENTS.map((element) => dihedralIndices(shape, element).join());
        const both = gather(dihedralIndices(shape, first), dihedralIndices(shape, second));
        expect(all).toContain(both.join());
        expect(both.toSorted((a, b) => a - b)).toEqual([...Array(tokenCount(shape)).keys()]);
      }),
    );
  });

  it("keeps every tile over its children (M3)", () => {
    fc.assert(
      fc.property(shapes, elements, (shape, element) => {
        const places = tokenPlaces(shape);
        const reads = (t: number) => places[dihedralIndices(shape, element)[t] ?? 0];
        places.forEach((place, t) => {
          const parent = parentOf(place);
          const read = reads(t);
          if (parent === undefined || read === undefined) return;
          expect(parentOf(read)).toEqual(reads(tokenIndex(parent, shape.regionTiles)));
          expect(childrenOf(parent)).toContainEqual(place);
        });
      }),
      { numRuns: 20 },
    );
  });
});

describe("cropping a source (M4)", () => {
  it("agrees between crops on the tiles that they share", () => {
    fc.assert(
      fc.property(crops, ({ shape, sourceTiles, offset: [oy, ox] }) => {
        const crop = cropIndices({ sourceTiles, shape, offset: [oy, ox] });
        const source = tokenPlaces({ ...shape, regionTiles: sourceTiles });
        tokenPlaces(shape).forEach(({ m, i, j }, t) => {
          expect(source[crop[t] ?? 0]).toEqual({ m, i: i + oy * 2 ** m, j: j + ox * 2 ** m });
        });
      }),
      { numRuns: 30 },
    );
  });

  it("of the whole is the identity", () => {
    fc.assert(
      fc.property(shapes, (shape) => {
        const crop = cropIndices({ sourceTiles: shape.regionTiles, shape, offset: [0, 0] });
        expect([...crop]).toEqual([...Array(tokenCount(shape)).keys()]);
      }),
    );
  });

  it("then turning equals turning the source, then cropping where the crop went (M3)", () => {
    fc.assert(
      fc.property(crops, ({ shape, sourceTiles, offset: [oy, ox] }) => {
        const source = { ...shape, regionTiles: sourceTiles };
        const there = [sourceTiles - shape.regionTiles - ox, oy] as const;
        const first = gather(cropIndices({ sourceTiles, shape, offset: [oy, ox] }), dihedralIndices(shape, "rot90"));
        const last = gather(dihedralIndices(source, "rot90"), cropIndices({ sourceTiles, shape, offset: there }));
        expect(first).toEqual(last);
      }),
    );
  });
});

describe("the table of views", () => {
  it("holds every crop turned every way", () => {
    fc.assert(
      fc.property(crops, fc.nat(7), ({ shape, sourceTiles, offset }, turn) => {
        const table = createViewTable(sourceTiles, shape);
        const positions = sourceTiles - shape.regionTiles + 1;
        const crop = cropIndices({ sourceTiles, shape, offset });
        const element = DIHEDRAL_ELEMENTS[turn] ?? "identity";
        const view = table.indices(offset[0] * positions + offset[1], turn);
        expect([...view]).toEqual(gather(crop, dihedralIndices(shape, element)));
        expect(table.cropCount).toBe(positions ** 2);
        expect(() => table.indices(table.cropCount, turn)).toThrow("crop is");
      }),
    );
  });
});

describe("blocks", () => {
  it("hold every token once", () => {
    fc.assert(
      fc.property(shapes, (shape) => {
        const { block, slot } = blockOrder(shape);
        const slots = slotCount(shape.levelCount);
        const places = Array.from(block, (b, t) => b * slots + (slot[t] ?? 0));
        expect(places.toSorted((a, b) => a - b)).toEqual([...Array(tokenCount(shape)).keys()]);
      }),
    );
  });
});

describe("the two ways to count magnifications", () => {
  it("are each other's mirror", () => {
    expect([0, 1, 2].map((level) => magnificationFromLevel(level, 3))).toEqual([2, 1, 0]);
  });
});
