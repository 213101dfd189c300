import { extname } from "node:path";
import { DomainError } from "@parfocal/errors";
import { parseSafetensors } from "../safetensors/parse-safetensors.ts";
import { parseCsvSources } from "./csv/parse-csv-sources.ts";
import { readH5Source } from "./hdf5/read-h5-source.ts";
import { isNpy, parseNpy } from "./numpy/parse-npy.ts";
import { isNpz, parseNpzArray } from "./numpy/parse-npz.ts";
import { isZip, parseZip, type ZipEntry } from "./parse-zip.ts";
import { pickNames } from "./pick-tensors.ts";
import type { WholeFile } from "./read-whole-file.ts";
import type { SourceBag } from "./source-bag.ts";
import { openTorchFile, openTorchZip } from "./torch/read-torch-file.ts";
import { readTorchSource } from "./torch/read-torch-source.ts";

/**
 * The bags of a file's bytes, recognised by their first bytes; only CSV and safetensors, which have none of their own,
 * by the extension of `fileName`.
 *
 * @throws {DomainError} UNSUPPORTED_FORMAT when nothing is recognised; what the reader of the format throws.
 */
export async function* readSources({ bytes, digest }: WholeFile, fileName: string): AsyncGenerator<SourceBag> {
  const extension = extname(fileName).toLowerCase();
  if (isH5(bytes)) yield await readH5Source(bytes, digest);
  else if (isNpy(bytes)) yield bare("npy", parseNpy(bytes), digest);
  else if (isZip(bytes)) yield readZip(parseZip(bytes), digest);
  else if (bytes[0] === 0x80) yield readTorchSource(openTorchFile(bytes), digest);
  else if (extension === ".safetensors") yield readSafetensors(bytes, digest);
  else if (extension === ".csv") yield* parseCsvSources(bytes);
  else throw unrecognised(extension, bytes.length);
}

function bare(layout: string, features: SourceBag["features"], sourceDigest: string): SourceBag {
  return { layout, features, coordUnit: "none", claims: {}, notes: [], sourceDigest };
}

function readZip(entries: ReadonlyMap<string, ZipEntry>, digest: string): SourceBag {
  if (!isNpz(entries)) return readTorchSource(openTorchZip(entries), digest);
  const stems = [...entries.keys()].map((name) => name.slice(0, -".npy".length));
  // numpy.savez names a lone unnamed array so.
  if (stems.length === 1 && stems[0] === "arr_0") return bare("npz", parseNpzArray(entries, "arr_0"), digest);
  const names = pickNames(stems);
  const source = bare("npz", parseNpzArray(entries, names.features), digest);
  if (names.coords === undefined) return source;
  return { ...source, coords: parseNpzArray(entries, names.coords), coordUnit: "unknown" };
}

function readSafetensors(bytes: Uint8Array, digest: string): SourceBag {
  const { tensors } = parseSafetensors(bytes);
  const names = pickNames([...tensors.keys()]);
  const features = tensors.get(names.features);
  const coords = names.coords === undefined ? undefined : tensors.get(names.coords);
  if (!features) throw new DomainError("INTERNAL", "a picked tensor is not there");
  return { ...bare("safetensors", features, digest), ...(coords && { coords, coordUnit: "unknown" as const }) };
}

/** HDF5's signature stands at byte 0 or, behind a user block, at 512, 1024 and so on; tools here write none. */
function isH5(bytes: Uint8Array): boolean {
  return Buffer.from(bytes.subarray(0, 8)).equals(Buffer.from("\x89HDF\r\n\x1a\n", "latin1"));
}

const KNOWN = [".h5", ".hdf5", ".pt", ".pth", ".npy", ".npz"];

function unrecognised(extension: string, nBytes: number): DomainError {
  if (KNOWN.includes(extension)) {
    return nBytes < 8
      ? new DomainError("TRUNCATED", `the file has ${nBytes} bytes, too few for its type`)
      : new DomainError("CORRUPT", `the file does not begin as a ${extension} file does`);
  }
  return new DomainError("UNSUPPORTED_FORMAT", `the file is none of ${KNOWN.join(", ")}, .csv, .safetensors`);
}
