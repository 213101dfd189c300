import { DomainError } from "@parfocal/errors";
import { MAX_MAGNIFICATIONS } from "@parfocal/geometry";
import type { BagMetadata } from "./bag.ts";
import { MAX_TEXT_BYTES } from "./bag-limits.ts";

/** Marks a safetensors file as a canonical bag; the number grows when the layout changes. */
const BAG_FORMAT = "parfocal-bag/1";

const TEXT_FIELDS = [
  ["slideId", "slide_id"],
  ["patientId", "patient_id"],
  ["encoder", "encoder"],
  ["sourceLabel", "source_label"],
  ["sourceDigest", "source_digest"],
  ["fileDigest", "file_digest"],
  ["importer", "importer"],
] as const;

const NUMBER_FIELDS = [
  ["tilePx", "tile_px"],
  ["mpp", "mpp"],
  ["stridePx", "stride_px"],
  ["level0StridePx", "level0_stride_px"],
  ["level0Mpp", "level0_mpp"],
  ["levelCount", "level_count"],
] as const;

const CONTROL_CHARACTER = /\p{Cc}/u;

/**
 * Bag metadata as safetensors metadata: snake-case names, numbers in their shortest decimal form, unknown left out.
 *
 * @throws {DomainError} INVALID_ARGUMENT for a text of more than 512 bytes or with a control character, and for a number that is not
 * finite and above 0; it names the field and the bound, never a text.
 */
export function encodeBagMetadata(metadata: BagMetadata): Record<string, string> {
  const encoded: Record<string, string> = { format: BAG_FORMAT };
  for (const [field, name] of TEXT_FIELDS) {
    const value = metadata[field];
    if (value !== undefined) encoded[name] = assertText(name, value);
  }
  for (const [field, name] of NUMBER_FIELDS) {
    const value = metadata[field];
    if (value !== undefined) encoded[name] = String(assertPositive(name, value, "INVALID_ARGUMENT"));
  }
  if (metadata.coordUnit !== undefined) encoded.coord_unit = metadata.coordUnit;
  if (metadata.anchorPx !== undefined) encoded.anchor_px = metadata.anchorPx.join(",");
  if (metadata.surrogateLevels !== undefined && metadata.surrogateLevels.length > 0) {
    encoded.surrogate_levels = assertLevels(metadata.surrogateLevels, "INVALID_ARGUMENT").join(",");
  }
  return encoded;
}

/**
 * The inverse of {@link encodeBagMetadata}. Unknown names are ignored: a later writer may know more. Texts are taken as they are:
 * an earlier writer did not bound them.
 *
 * @throws {DomainError} UNSUPPORTED_FORMAT when the format mark is missing or another one; CORRUPT when a number is not
 * finite or out of its bounds.
 */
export function parseBagMetadata(encoded: Readonly<Record<string, string>>): BagMetadata {
  if (encoded.format !== BAG_FORMAT) {
    const found = encoded.format === undefined ? "none" : JSON.stringify(encoded.format.slice(0, 40));
    throw new DomainError("UNSUPPORTED_FORMAT", `a canonical bag has the format mark ${BAG_FORMAT}, found ${found}`);
  }
  const metadata: Record<string, string | number | readonly number[]> = {};
  for (const [field, name] of TEXT_FIELDS) {
    const value = encoded[name];
    if (value !== undefined) metadata[field] = value;
  }
  for (const [field, name] of NUMBER_FIELDS) {
    const value = encoded[name];
    if (value !== undefined) metadata[field] = assertPositive(name, Number(value), "CORRUPT");
  }
  const coordUnit = encoded.coord_unit;
  if (coordUnit !== undefined) metadata.coordUnit = assertCoordUnit(coordUnit);
  const anchor = encoded.anchor_px;
  if (anchor !== undefined) metadata.anchorPx = parseAnchor(anchor);
  const surrogates = encoded.surrogate_levels;
  if (surrogates !== undefined) {
    const levels = surrogates.split(",").map((part) => (/^\d$/u.test(part) ? Number(part) : Number.NaN));
    metadata.surrogateLevels = assertLevels(levels, "CORRUPT");
  }
  return metadata;
}

function assertLevels(levels: readonly number[], code: "INVALID_ARGUMENT" | "CORRUPT"): readonly number[] {
  const isLevel = (level: number) => Number.isInteger(level) && level >= 0 && level < MAX_MAGNIFICATIONS;
  if (levels.every((level, at) => isLevel(level) && level > (levels[at - 1] ?? -1))) return levels;
  const bound = `whole numbers from 0 to ${MAX_MAGNIFICATIONS - 1} that rise`;
  throw new DomainError(code, `bag metadata surrogate_levels are ${levels.join(", ")}; they are ${bound}`);
}

function parseAnchor(value: string): readonly [number, number] {
  const [x, y, ...rest] = value.split(",").map((part) => (part.trim() === "" ? Number.NaN : Number(part)));
  if (x !== undefined && y !== undefined && rest.length === 0 && Number.isFinite(x) && Number.isFinite(y))
    return [x, y];
  throw new DomainError("CORRUPT", "bag metadata anchor_px is no pair of finite numbers");
}

function assertCoordUnit(value: string): string {
  if (value === "level0_px" || value === "encoded_px") return value;
  throw new DomainError("CORRUPT", "bag metadata coord_unit is neither level0_px nor encoded_px");
}

function assertText(name: string, value: string): string {
  const nBytes = Buffer.byteLength(value);
  if (nBytes > MAX_TEXT_BYTES) {
    const message = `bag metadata ${name} has ${nBytes} bytes, the bound is ${MAX_TEXT_BYTES}`;
    const details = { field: name, value: `${nBytes}`, bound: `${MAX_TEXT_BYTES}` };
    throw new DomainError("INVALID_ARGUMENT", message, { details });
  }
  if (!CONTROL_CHARACTER.test(value)) return value;
  const message = `bag metadata ${name} of ${nBytes} bytes holds a control character; it is text of up to ${MAX_TEXT_BYTES} bytes`;
  throw new DomainError("INVALID_ARGUMENT", message, { details: { field: name } });
}

function assertPositive(name: string, value: number, code: "INVALID_ARGUMENT" | "CORRUPT"): number {
  if (Number.isFinite(value) && value > 0) return value;
  throw new DomainError(code, `bag metadata ${name} is ${value}, it must be finite and above 0`);
}
