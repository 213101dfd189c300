import { DomainError } from "@parfocal/errors";
import type { SafetensorsTensor } from "../../safetensors/parse-safetensors.ts";
import type { ZipEntry } from "../parse-zip.ts";
import { parseNpy } from "./parse-npy.ts";

/** Whether a zip archive is a `.npz`: all its entries are arrays. */
export function isNpz(entries: ReadonlyMap<string, ZipEntry>): boolean {
  return entries.size > 0 && [...entries.keys()].every((name) => name.endsWith(".npy"));
}

/**
 * One array of a `.npz`.
 *
 * @throws {DomainError} NOT_FOUND when there is none of that name; what {@link parseNpy} throws.
 */
export function parseNpzArray(entries: ReadonlyMap<string, ZipEntry>, name: string): SafetensorsTensor {
  const entry = entries.get(`${name}.npy`);
  if (!entry) throw new DomainError("NOT_FOUND", "the .npz has no array of that name");
  return parseNpy(entry.read());
}
