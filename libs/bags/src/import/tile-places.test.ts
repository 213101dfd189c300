import { describe, expect, it } from "vitest";
import { tilePlaces } from "./tile-places.ts";

const ROW = Int32Array.of(0, 0, 224, 0, 448, 0);

describe("what the corners of tiles tell", () => {
  it("is the stride where the bag states none", () => {
    expect(tilePlaces({ coords: ROW, metadata: {} })).toEqual({
      stridePx: 224,
      notes: ["the stride of the tiles is not stated; by their coordinates it is 224 px"],
    });
    expect(tilePlaces({ coords: ROW, metadata: { level0StridePx: 256 } })).toEqual({ notes: [] });
  });

  it("is no stride of tiles in one place, of several magnifications, or without places", () => {
    expect(tilePlaces({ coords: Int32Array.of(7, 7), metadata: {} })).toEqual({ notes: [] });
    expect(tilePlaces({ coords: ROW, level: Uint8Array.of(1, 0, 0), metadata: {} })).toEqual({ notes: [] });
    expect(tilePlaces({ metadata: {} })).toEqual({ notes: [] });
  });

  it("counts tiles on the corner of an earlier one of their magnification", () => {
    const coords = Int32Array.of(0, 0, 0, 0, 0, 0, 224, 0);
    const shared = tilePlaces({ coords, metadata: { level0StridePx: 224 } });
    expect(shared.sharedTiles).toBe(2);
    expect(shared.notes).toEqual(["2 tiles lie where an earlier one does; the bag keeps all"]);
    const level = Uint8Array.of(2, 1, 0, 0);
    expect(tilePlaces({ coords, level, metadata: { level0StridePx: 224 } })).toEqual({ notes: [] });
  });
});
