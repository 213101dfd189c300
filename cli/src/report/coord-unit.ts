import { DomainError } from "@parfocal/errors";

/** Pixels of which grid coordinates count, by the names that bags have for it; `unknown`: a unit that this version does not know. */
export type CoordUnit = "level0_px" | "encoded_px" | "unknown";

const WORDS: Readonly<Record<CoordUnit, string>> = {
  level0_px: "level-0 pixels",
  encoded_px: "pixels of the encoded magnification",
  unknown: "a unit that this version does not know",
};

/** A unit in words. */
export function coordUnitWords(unit: CoordUnit): string {
  return WORDS[unit];
}

/**
 * Throws unless coordinates count level-0 pixels, which `output` places tiles by.
 *
 * @throws {DomainError} `GEOMETRY_MISMATCH` naming the unit and how to import level-0 pixels.
 */
export function assertLevel0Pixels(unit: CoordUnit | undefined, output: string): void {
  if (unit === undefined || unit === "level0_px") return;
  throw new DomainError(
    "GEOMETRY_MISMATCH",
    `coordinates count ${coordUnitWords(unit)} (${unit}), ${output} needs level-0 pixels: import the file again by parfocal import --level0-mpp, which takes the micrometres per level-0 pixel`,
  );
}
