import { basename, extname } from "node:path";
import { DomainError } from "@parfocal/errors";
import type { Bag, BagMetadata } from "../bag.ts";
import { encodeBagMetadata } from "../bag-metadata.ts";
import { parseBag } from "../parse-bag.ts";
import { parseSafetensorsHeader } from "../safetensors/parse-header.ts";
import { completeBag } from "./complete-bag.ts";
import type { ImportedBag, ImportOptions } from "./imported-bag.ts";
import { readSources } from "./read-sources.ts";
import { readWholeFile, type WholeFile } from "./read-whole-file.ts";
import { resolveGeometry } from "./resolve-geometry.ts";
import { tilePlaces } from "./tile-places.ts";

/**
 * Imports a file on the calling thread; `onRead` hears when it is in memory. {@link importFile} runs this in a worker, out of reach of hangs and crashes.
 *
 * @throws {DomainError} As {@link importFile}.
 */
export async function* importInProcess(
  path: string,
  options: ImportOptions,
  onRead: (sizeBytes: number) => void,
): AsyncGenerator<ImportedBag> {
  const file = await readWholeFile(path);
  onRead(file.bytes.length);
  yield* importBytes(file, path, options);
}

/** The same for a file already read; its path gives name and extension unless the options do. Throws as {@link importFile}. */
export async function* importBytes(file: WholeFile, path: string, options: ImportOptions): AsyncGenerator<ImportedBag> {
  const fileName = options.fileName ?? basename(path);
  const stem = basename(fileName, extname(fileName));
  if (isCanonical(file.bytes)) {
    yield writable(canonical(file.bytes, stem, options));
    return;
  }
  let nBags = 0;
  for await (const source of readSources(file, fileName)) {
    nBags += 1;
    if (nBags > 1 && options.slideId !== undefined) {
      throw new DomainError("INVALID_ARGUMENT", "slideId was given for a file of more than one bag");
    }
    yield writable(completeBag(source, stem, options));
  }
}

/** The same bag, whose metadata can be written: what is wrong with them is said of the file, not of a store later. */
function writable(imported: ImportedBag): ImportedBag {
  encodeBagMetadata(imported.bag.metadata);
  return imported;
}

function isCanonical(bytes: Uint8Array): boolean {
  if (bytes[8] !== 0x7b) return false;
  try {
    return parseSafetensorsHeader(bytes).metadata.format?.startsWith("parfocal-bag/") ?? false;
  } catch {
    return false;
  }
}

/** A canonical bag keeps its metadata and its importer's mark; what the caller says must agree or fill gaps. */
function canonical(bytes: Uint8Array, name: string, options: ImportOptions): ImportedBag {
  const parsed = parseBag(bytes);
  const { encoder, tilePx, mpp, level0Mpp } = parsed.metadata;
  const found = {
    ...(encoder !== undefined && { encoder }),
    ...(tilePx !== undefined && { tilePx }),
    ...(mpp !== undefined && { mpp }),
  };
  const names = {
    ...(options.slideId !== undefined && { slideId: options.slideId }),
    ...(options.patientId !== undefined && { patientId: options.patientId }),
  };
  const geometry = resolveGeometry({ ...found, ...(level0Mpp !== undefined && { level0Mpp }) }, options);
  const frame = level0Of(parsed, options.level0Mpp);
  const bag = { ...parsed, metadata: { ...parsed.metadata, ...geometry, ...frame, ...names } };
  const coordUnit = bag.coords ? (bag.metadata.coordUnit ?? "level0_px") : "none";
  return { bag, name, inferred: { layout: "parfocal-bag", ...found, coordUnit, ...tilePlaces(bag) } };
}

/** The resolution of level 0 as given: it fills a gap, but cannot convert coordinates, which were rounded already. */
function level0Of({ coords, metadata }: Bag, given: number | undefined): Pick<BagMetadata, "level0Mpp"> {
  if (given === undefined || coords === undefined) return {};
  if (metadata.coordUnit === "encoded_px") {
    const problem = "this bag's coordinates count pixels of the encoded magnification and were rounded to them";
    throw new DomainError("INVALID_ARGUMENT", `${problem}: give level0Mpp when importing the file that it was made of`);
  }
  return { level0Mpp: metadata.level0Mpp ?? given };
}
