import type { SafetensorsTensor } from "../safetensors/parse-safetensors.ts";
import type { SourceCoordUnit } from "./imported-bag.ts";

/** What the file itself says of its geometry and origin. */
export interface SourceClaims {
  readonly encoder?: string;
  /** Pixels at the encoded magnification. */
  readonly tilePx?: number;
  /** Micrometres per pixel at the encoded magnification. */
  readonly mpp?: number;
  /** Set when `mpp` is 10 / magnification: a name rather than a measurement, so a caller's value may differ a little. */
  readonly isMppNominal?: boolean;
  /** Micrometres per pixel at level 0. */
  readonly level0Mpp?: number;
  /** Side of a tile in level-0 pixels: with `tilePx` and `mpp` it implies the resolution of level 0, and checks a given one. */
  readonly tileLevel0Px?: number;
  /** Distance between neighbouring tiles in the unit of `coords`. */
  readonly stride?: number;
}

/** What every layout reader gives: arrays as they lie in the file (row-major), and what was found beside them. */
export interface SourceBag {
  /** Layout name; the importer recorded in the bag is `${layout}/` and its version. */
  readonly layout: string;
  /** `[N, D]`, possibly with a leading 1. */
  readonly features: SafetensorsTensor;
  /** `[N, 2]`, possibly with a leading 1. */
  readonly coords?: SafetensorsTensor;
  readonly coordUnit: SourceCoordUnit;
  readonly claims: SourceClaims;
  readonly notes: readonly string[];
  /** SHA-256 of the file or, where it holds many bags, of this bag's rows. */
  readonly sourceDigest: string;
  readonly sourceLabel?: string;
  /** Only where the file names its bags itself. */
  readonly name?: string;
}
