import { DomainError } from "@parfocal/errors";
import { pickNames } from "../pick-tensors.ts";
import type { SourceBag } from "../source-bag.ts";
import { tensorFromTorch } from "./read-torch-file.ts";
import { arraysOf, type TorchArray } from "./read-torch-state-dict.ts";
import type { TorchFile } from "./torch-file.ts";

/**
 * The features of a `.pt` file: a bare tensor (CLAM's `pt_files`, slideflow), or a dict of features and coordinates.
 *
 * @throws {DomainError} UNSUPPORTED_FORMAT when no array of features is found; what reading its tensors throws.
 */
export function readTorchSource(file: TorchFile, sourceDigest: string): SourceBag {
  const arrays = arraysOf(file.root);
  const lone = arrays.get("");
  const base = { claims: {}, notes: [], sourceDigest };
  if (lone) return { ...base, layout: "bare-pt", features: tensorFromTorch(file, lone), coordUnit: "none" };
  const names = pickNames([...arrays.keys()]);
  const features = tensorFromTorch(file, arrayOf(arrays, names.features));
  if (names.coords === undefined) return { ...base, layout: "dict-pt", features, coordUnit: "none" };
  const coords = tensorFromTorch(file, arrayOf(arrays, names.coords));
  return { ...base, layout: "dict-pt", features, coords, coordUnit: "unknown" };
}

function arrayOf(arrays: ReadonlyMap<string, TorchArray>, name: string): TorchArray {
  const array = arrays.get(name);
  if (!array) throw new DomainError("INTERNAL", "a picked array is not there");
  return array;
}
