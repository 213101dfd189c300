/** What is known of where a bag came from. Absent means unknown, never a guess. */
export interface BagMetadata {
  readonly slideId?: string;
  readonly patientId?: string;
  /** Name of the tile encoder, e.g. `uni_v2`. */
  readonly encoder?: string;
  /** Side of a tile in pixels at the magnification that was encoded. */
  readonly tilePx?: number;
  /** Micrometres per pixel at that magnification. */
  readonly mpp?: number;
  /**
   * Distance between neighbouring tiles in pixels at that magnification, as `tilePx` counts them: less than `tilePx` where tiles
   * overlap. Absent where it follows from the other fields, see `tileStridePx`, or is unknown.
   */
  readonly stridePx?: number;
  /** Distance between neighbouring tiles in level-0 pixels; in a region bag that of its coarsest tiles. */
  readonly level0StridePx?: number;
  /** Micrometres per pixel of level 0, where whoever imported the bag gave it. */
  readonly level0Mpp?: number;
  /** Magnifications of a region bag, each twice the one before; absent in every other bag. */
  readonly levelCount?: number;
  /**
   * Magnifications of a region bag (0 = coarsest), ascending, whose tiles are all stand-ins, the means of their children; absent: none
   * is known to be.
   */
  readonly surrogateLevels?: readonly number[];
  /**
   * (x, y) of the grid that a region bag's tiles lie on, level-0 pixels, may be fractional: the tile in row i and column j
   * of magnification m lies at `round(anchor + (j, i)·level0StridePx/2^m)`.
   */
  readonly anchorPx?: readonly [number, number];
  /**
   * Pixels of which grid `coords` and `level0StridePx` count: level 0 of the slide, or the magnification that was encoded
   * (sources in micrometres whose level-0 resolution nobody gave). Absent: the source did not say; read as level 0.
   */
  readonly coordUnit?: "level0_px" | "encoded_px";
  /** Label found beside the features (CSV layouts carry one), never used unless a request asks for it. */
  readonly sourceLabel?: string;
  /** SHA-256 of the file (or of the rows) the bag was made from, lower-case hex. */
  readonly sourceDigest?: string;
  /** Of a re-embedded bag: the `sourceDigest` of the bag that it was made of, which is its own. Absent in those of before it was kept. */
  readonly fileDigest?: string;
  /** Which importer made it, e.g. `trident-h5/1`. */
  readonly importer?: string;
}

/**
 * The set of tile features of one slide. N tiles (1 to 1 000 000), D features (1 to 65 536), all finite.
 */
export interface Bag {
  readonly n: number;
  readonly d: number;
  /** `[N, D]` row-major; `F16` as raw half words. */
  readonly features:
    | { readonly dtype: "F32"; readonly data: Float32Array }
    | { readonly dtype: "F16"; readonly data: Uint16Array };
  /** `[N, 2]` (x, y) level-0 pixels of each tile's top-left corner; absent when the source has none. */
  readonly coords?: Int32Array;
  /** `[N]` magnification level of each tile, 0 = finest; absent in bags of one magnification. */
  readonly level?: Uint8Array;
  /** `[N]` bit set of each tile, see `TILE_FLAGS`; absent where nobody told: only region bags have it. */
  readonly flags?: Uint8Array;
  readonly metadata: BagMetadata;
}

/** A stored bag by reference: what travels between services instead of tensors. */
export interface BagRef {
  /** Key in the store, content addressed. */
  readonly key: string;
  /** SHA-256 of the stored object, lower-case hex. */
  readonly digest: string;
  readonly sizeBytes: number;
  readonly n: number;
  readonly d: number;
  readonly dtype: "F16" | "F32";
  readonly hasCoords: boolean;
}
