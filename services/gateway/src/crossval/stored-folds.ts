import { DomainError, shareWork } from "@parfocal/errors";
import type { CallOptions, ObjectStore } from "@parfocal/store";
import type { WorkflowContext } from "@parfocal/workflows";
import { readJson, writeJson } from "../catalog/json-objects.ts";
import { keys } from "../catalog/keys.ts";
import type { DrawnFold } from "./draw-folds.ts";
import type { FoldRun } from "./fold-run.ts";

/** Where the folds of an operation lie. */
export function foldsKey({ project, operationId }: Pick<WorkflowContext, "project" | "operationId">): string {
  return `${keys.foldFolder(project, operationId, "all")}/parts.json`;
}

/** Writes the folds of an operation: of many bags and repeats they are too large for a journal. */
export async function writeFolds(
  store: ObjectStore,
  key: string,
  folds: readonly DrawnFold[],
  options: CallOptions,
): Promise<void> {
  await writeJson(store, key, folds, options);
}

/** Gives the parts of a fold, all of which are read at the first call. @throws {DomainError} as {@link readFolds}. */
export function createPartsReader(store: ObjectStore, key: string): FoldRun["partsOf"] {
  const readAll = shareWork(() => readFolds(store, key));
  return async ({ repeat, fold }, signal) => {
    const found = (await readAll(signal)).find((each) => each.repeat === repeat && each.fold === fold);
    if (found !== undefined) return found;
    throw new DomainError("CORRUPT", `the store lost the parts of repeat ${repeat}, fold ${fold}`);
  };
}

/** Reads them. @throws {DomainError} `CORRUPT` when they are not there or not what was written; the store's own codes. */
async function readFolds(store: ObjectStore, key: string): Promise<readonly DrawnFold[]> {
  const found = await readJson(store, key, parseFolds);
  if (found === undefined) throw new DomainError("CORRUPT", "the store lost the folds of the operation");
  return found.value;
}

function parseFolds(json: unknown): readonly DrawnFold[] {
  const isFold = (each: unknown) => typeof (each as Partial<DrawnFold> | null)?.parts === "string";
  if (Array.isArray(json) && json.every(isFold)) return json as DrawnFold[];
  throw new TypeError("no folds");
}
