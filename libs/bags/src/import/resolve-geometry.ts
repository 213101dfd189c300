import { DomainError } from "@parfocal/errors";
import type { BagMetadata } from "../bag.ts";
import { encoderNameFrom } from "./encoders.ts";
import type { ImportOptions } from "./imported-bag.ts";
import type { SourceBag, SourceClaims } from "./source-bag.ts";

type Geometry = Pick<BagMetadata, "encoder" | "tilePx" | "mpp">;

/** Scanners of one nominal magnification differ by about this much (20x: 0.45 to 0.55 um per pixel). */
const NOMINAL_MPP_TOLERANCE = 0.1;

/** Resolutions are written with three or four digits. */
const MPP_TOLERANCE = 0.01;

/**
 * Encoder, tile size and resolution from the file completed by the caller. Where both speak, they must agree; the
 * caller's spelling of a resolution then wins, being a measurement where the file has a nominal value.
 *
 * @throws {DomainError} GEOMETRY_MISMATCH when they do not agree, naming both values.
 */
export function resolveGeometry(claims: SourceClaims, options: ImportOptions): Geometry {
  assertAgreement("level0Mpp", claims.level0Mpp, options.level0Mpp, MPP_TOLERANCE);
  const encoder = resolveEncoder(claims.encoder, options.encoder);
  const tilePx = options.tilePx ?? claims.tilePx;
  assertAgreement("tilePx", claims.tilePx, options.tilePx, 0);
  const mpp = options.mpp ?? claims.mpp;
  assertAgreement("mpp", claims.mpp, options.mpp, claims.isMppNominal ? NOMINAL_MPP_TOLERANCE : MPP_TOLERANCE);
  assertAgreement(
    "level0Mpp",
    impliedLevel0Mpp(claims.tileLevel0Px, tilePx, mpp),
    options.level0Mpp,
    NOMINAL_MPP_TOLERANCE,
  );
  return {
    ...(encoder !== undefined && { encoder }),
    ...(tilePx !== undefined && { tilePx }),
    ...(mpp !== undefined && { mpp }),
  };
}

/**
 * The resolution of level 0 at which tiles of `tilePx` pixels span what the file says they span there. As nominal as `mpp`: good
 * for a check, not for a bag's metadata.
 */
function impliedLevel0Mpp(
  tileLevel0Px: number | undefined,
  tilePx: number | undefined,
  mpp: number | undefined,
): number | undefined {
  if (tileLevel0Px === undefined || tilePx === undefined || mpp === undefined) return undefined;
  return (tilePx * mpp) / tileLevel0Px;
}

/** The grid that a bag's coordinates will count. */
export interface CoordFrame {
  /** Pixels of the frame per unit of the source; absent when the source counts these pixels itself. */
  readonly scale?: number;
  readonly unit?: NonNullable<BagMetadata["coordUnit"]>;
  readonly stridePx?: number;
  readonly notes: readonly string[];
}

/**
 * How coordinates of the source become pixels. Micrometres become level-0 pixels when the caller gives `level0Mpp`; else
 * pixels of the encoded magnification when that is known, marked as such in the bag; else they are refused.
 *
 * @throws {DomainError} INVALID_ARGUMENT when coordinates cannot be converted with what is known.
 */
export function frameOf(source: SourceBag, geometry: Geometry, options: ImportOptions): CoordFrame {
  if (source.coords === undefined) return { notes: ["the file has no coordinates"] };
  if (source.coordUnit === "um") return frameFromUnit(source, 1, geometry, options);
  if (source.coordUnit === "encoded_px") return frameFromEncodedPixels(source, geometry, options);
  if (source.coordUnit === "level0_px") return frame(source, undefined, "level0_px", []);
  return { notes: ["the file does not say the unit of its coordinates, they are read as level-0 pixels"] };
}

function frameFromEncodedPixels(source: SourceBag, geometry: Geometry, options: ImportOptions): CoordFrame {
  if (options.level0Mpp === undefined || geometry.mpp === undefined) {
    return frame(source, undefined, "encoded_px", [
      "coordinates count pixels of the encoded magnification; level0Mpp would convert them",
    ]);
  }
  return frameFromUnit(source, geometry.mpp, geometry, options);
}

function frameFromUnit(source: SourceBag, unitUm: number, geometry: Geometry, options: ImportOptions): CoordFrame {
  if (options.level0Mpp !== undefined) {
    const note = `coordinates converted to level-0 pixels at the given ${options.level0Mpp} um per pixel`;
    return frame(source, unitUm / options.level0Mpp, "level0_px", [note]);
  }
  if (geometry.mpp === undefined) {
    const problem = "coordinates are in micrometres and no resolution is known";
    throw new DomainError("INVALID_ARGUMENT", `${problem}: give level0Mpp (or mpp), in micrometres per pixel`);
  }
  const note = `coordinates converted from micrometres to pixels of the encoded magnification (${geometry.mpp} um per pixel), as level0Mpp was not given`;
  return frame(source, unitUm / geometry.mpp, "encoded_px", [note]);
}

function frame(
  source: SourceBag,
  scale: number | undefined,
  unit: CoordFrame["unit"],
  notes: readonly string[],
): CoordFrame {
  const { stride } = source.claims;
  const stridePx = stride === undefined ? undefined : stride * (scale ?? 1);
  return {
    ...(scale !== undefined && { scale }),
    ...(unit && { unit }),
    ...(stridePx !== undefined && { stridePx }),
    notes,
  };
}

function resolveEncoder(found: string | undefined, given: string | undefined): string | undefined {
  const [a, b] = [found, given].map((name) => name && encoderNameFrom(name));
  if (a !== undefined && b !== undefined && a !== b) {
    throw new DomainError(
      "GEOMETRY_MISMATCH",
      `encoder ${JSON.stringify(b)} was given, the file says ${JSON.stringify(a)}`,
    );
  }
  return b ?? a;
}

function assertAgreement(name: string, found: number | undefined, given: number | undefined, tolerance: number): void {
  if (given !== undefined && !(Number.isFinite(given) && given > 0)) {
    throw new DomainError("INVALID_ARGUMENT", `${name} is ${given}, it must be finite and above 0`);
  }
  if (found === undefined || given === undefined || Math.abs(given - found) <= tolerance * found) return;
  const allowed = tolerance > 0 ? ` (up to ${tolerance * 100} % apart is taken as equal)` : "";
  throw new DomainError("GEOMETRY_MISMATCH", `${name} ${given} was given, the file says ${found}${allowed}`);
}
