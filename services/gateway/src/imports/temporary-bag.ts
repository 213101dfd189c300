import { randomUUID } from "node:crypto";
import type { BagRef } from "@parfocal/bags";
import { DomainError, type DomainErrorCode } from "@parfocal/errors";
import type { ObjectStore } from "@parfocal/store";
import { deletePrefix } from "../catalog/delete-prefix.ts";
import { keys } from "../catalog/keys.ts";
import type { ImportJob, StoreAddress } from "./import-messages.ts";
import type { ImportPool } from "./import-pool.ts";

/** A file to look at once. */
export interface PassingFile extends Pick<ImportJob, "source" | "fileName" | "hints"> {
  readonly project: string;
}

/** Makes bags for the time of one call. */
export interface TemporaryBags {
  /**
   * Imports a file that holds one bag, as every import does, gives it to `work`, and removes it: no catalog hears of it. What a crash
   * leaves is deleted with forgotten uploads.
   *
   * @throws {DomainError} What the importer says of the file; `INVALID_ARGUMENT` for a file of several bags; what `work` throws.
   */
  with<T>(file: PassingFile, signal: AbortSignal, work: (ref: BagRef) => Promise<T>): Promise<T>;
}

/** Temporary bags in the store at `address`, which is `store`, imported through `pool`. */
export function createTemporaryBags(store: ObjectStore, address: StoreAddress, pool: ImportPool): TemporaryBags {
  return {
    async with({ project, ...file }, signal, work) {
      const targetPrefix = keys.temporaryBagPrefix(project, randomUUID());
      try {
        return await work(await onlyBag(pool, { ...file, target: address, targetPrefix }, signal));
      } finally {
        // Not by the call's signal: a caller who left wants it gone all the more.
        await deletePrefix(store, targetPrefix, {}).catch(() => undefined);
      }
    },
  };
}

async function onlyBag(pool: ImportPool, job: ImportJob, signal: AbortSignal): Promise<BagRef> {
  let only: BagRef | undefined;
  for await (const outcome of pool.run(job, signal)) {
    // The importer answers with codes of the closed list, as it throws nothing else.
    if (outcome.kind === "error") throw new DomainError(outcome.code as DomainErrorCode, outcome.message);
    if (only !== undefined)
      throw new DomainError("INVALID_ARGUMENT", "the file holds several bags; one is asked about");
    only = outcome.ref;
  }
  if (only === undefined) throw new DomainError("EMPTY_BAG", "the file holds no bag");
  return only;
}
