import type { Bag } from "../bag.ts";

/** What the caller knows of a file and the file may not say. A value that contradicts the file is refused. */
export interface ImportOptions {
  /** Slide the bag belongs to; default: the file's name without extension (CSV: the bag id). */
  readonly slideId?: string;
  readonly patientId?: string;
  /** Tile encoder, e.g. `uni_v2`; spelling variants of the known ones are understood. */
  readonly encoder?: string;
  /** Side of a tile in pixels at the magnification that was encoded. */
  readonly tilePx?: number;
  /** Micrometres per pixel at that magnification. */
  readonly mpp?: number;
  /** Micrometres per pixel of the slide's level 0: needed to turn micrometres into level-0 pixels. */
  readonly level0Mpp?: number;
  /** Name of the file where its path has another, as of one that was spooled: it tells the extension and the slide. */
  readonly fileName?: string;
  /** Ends the import with `CANCELLED` or `DEADLINE_EXCEEDED`. */
  readonly signal?: AbortSignal;
}

/** Unit that coordinates had in the file. */
export type SourceCoordUnit = "level0_px" | "encoded_px" | "um" | "unknown" | "none";

/** What an importer found out by itself. Absent means that the file does not tell. */
export interface Inferred {
  /** Recognised layout, e.g. `trident-h5`. */
  readonly layout: string;
  readonly encoder?: string;
  readonly tilePx?: number;
  readonly mpp?: number;
  /** Distance between neighbouring tiles by their coordinates, in their pixels, where the bag states none. */
  readonly stridePx?: number;
  /** Tiles that lie on the corner of an earlier one; absent without any. */
  readonly sharedTiles?: number;
  /** Unit in the file; what the bag's own coordinates count is in its metadata. */
  readonly coordUnit: SourceCoordUnit;
  /** Sentences for people: conversions made, candidates, doubts. */
  readonly notes: readonly string[];
}

/** One bag of a file, checked and ready to be written. */
export interface ImportedBag {
  readonly bag: Bag;
  readonly inferred: Inferred;
  /** The file's name without extension; for a CSV the bag id. */
  readonly name: string;
}
