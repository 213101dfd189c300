import { DomainError } from "@parfocal/errors";
import type { SafetensorsTensor } from "../../safetensors/parse-safetensors.ts";
import { NumpyArray, PickleDict, PickleList, PickleTuple, type PickleValue, TorchTensor } from "./pickle-values.ts";
import { openTorchFile, tensorFromTorch } from "./read-torch-file.ts";
import type { TorchFile } from "./torch-file.ts";

/** How deep containers are followed: checkpoints nest two or three deep, and a list may contain itself. */
const MAX_DEPTH = 8;

/** Most arrays in one file. */
const MAX_TENSORS = 100_000;

/** Anything that has elements. */
export type TorchArray = TorchTensor | NumpyArray;

/**
 * All arrays below a value by dotted path (`state_dict.layer.weight`, list positions as numbers); a bare tensor has the
 * path `""`. Other values are passed over.
 *
 * @throws {DomainError} CORRUPT when containers nest deeper than 8; RESOURCE_EXHAUSTED beyond 100 000 arrays.
 */
export function arraysOf(root: PickleValue): ReadonlyMap<string, TorchArray> {
  const found = new Map<string, TorchArray>();
  const pending: { value: PickleValue; path: string; depth: number }[] = [{ value: root, path: "", depth: 0 }];
  // A container is entered once, however many others hold it: else a hundred nested references cost 2^100 visits.
  const entered = new Set<PickleValue>();
  for (let item = pending.pop(); item; item = pending.pop()) {
    const { value, path, depth } = item;
    if (isContainer(value) && entered.has(value)) continue;
    entered.add(value);
    if (value instanceof TorchTensor || value instanceof NumpyArray) found.set(path, value);
    if (depth > MAX_DEPTH) throw new DomainError("CORRUPT", `containers nest deeper than ${MAX_DEPTH}`);
    for (const [key, child] of childrenOf(value)) {
      pending.push({ value: child, path: path === "" ? key : `${path}.${key}`, depth: depth + 1 });
    }
    if (found.size > MAX_TENSORS || pending.length > 10 * MAX_TENSORS) {
      throw new DomainError("RESOURCE_EXHAUSTED", `the file holds more than ${MAX_TENSORS} arrays`);
    }
  }
  return found;
}

/**
 * Reads every tensor of a `.pt` file without executing anything, by dotted path. Row-major, dtype as stored.
 *
 * @throws {DomainError} UNSAFE_PICKLE, TRUNCATED, CORRUPT, UNSUPPORTED_FORMAT, RESOURCE_EXHAUSTED as the file deserves.
 */
export function readTorchStateDict(bytes: Uint8Array): ReadonlyMap<string, SafetensorsTensor> {
  const file: TorchFile = openTorchFile(bytes);
  const tensors = new Map<string, SafetensorsTensor>();
  for (const [path, array] of [...arraysOf(file.root)].sort(([a], [b]) => (a < b ? -1 : 1))) {
    tensors.set(path, tensorFromTorch(file, array));
  }
  return tensors;
}

function isContainer(value: PickleValue): boolean {
  return value instanceof PickleDict || value instanceof PickleList || value instanceof PickleTuple;
}

function childrenOf(value: PickleValue): Iterable<readonly [string, PickleValue]> {
  if (value instanceof PickleDict) return [...value.entries].map(([key, child]) => [String(key), child] as const);
  if (value instanceof PickleList || value instanceof PickleTuple) {
    return value.items.map((child, index) => [String(index), child] as const);
  }
  return [];
}
