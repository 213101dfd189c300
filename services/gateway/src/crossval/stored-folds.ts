import { DomainError } from "@parfocal/errors";
import type { CallOptions, ObjectStore } from "@parfocal/store";
import { readJson, writeJson } from "../catalog/json-objects.ts";
import type { DrawnFold } from "./draw-folds.ts";

/** Writes the folds of an operation: of many bags and repeats they are too large for a journal. */
export async function writeFolds(
  store: ObjectStore,
  key: string,
  folds: readonly DrawnFold[],
  options: CallOptions,
): Promise<void> {
  await writeJson(store, key, folds, options);
}

/** Reads them. @throws {DomainError} `CORRUPT` when they are not there or not what was written; the store's own codes. */
export async function readFolds(store: ObjectStore, key: string, options: CallOptions): Promise<readonly DrawnFold[]> {
  const found = await readJson(store, key, parseFolds, options);
  if (found === undefined) throw new DomainError("CORRUPT", "the store lost the folds of the operation");
  return found.value;
}

function parseFolds(json: unknown): readonly DrawnFold[] {
  const isFold = (each: unknown) => typeof (each as Partial<DrawnFold> | null)?.parts === "string";
  if (Array.isArray(json) && json.every(isFold)) return json as DrawnFold[];
  throw new TypeError("no folds");
}
