import { randomUUID } from "node:crypto";
import type { BagRef } from "@parfocal/bags";
import { DomainError, type DomainErrorCode } from "@parfocal/errors";
import type { ObjectStore } from "@parfocal/store";
import { deletePrefix } from "../catalog/delete-prefix.ts";
import { keys } from "../catalog/keys.ts";
import type { ImportJob, StoreAddress } from "./import-messages.ts";
import type { ImportPool } from "./import-pool.ts";

/** A file to look at once. */
interface PassingFile extends Pick<ImportJob, "source" | "fileName" | "hints"> {
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
  // To its end also when the first outcome decides: leaving early would cost the process.
  const outcomes = await Array.fromAsync(pool.run(job, signal));
  const [first] = outcomes;
  if (first === undefined) throw new DomainError("EMPTY_BAG", "the file holds no bag");
  const failed = outcomes.find((outcome) => outcome.kind === "error");
  // The importer answers with codes of the closed list, as it throws nothing else.
  if (failed !== undefined) throw new DomainError(failed.code as DomainErrorCode, failed.message);
  if (first.kind === "bag" && outcomes.length === 1) return first.ref;
  throw new DomainError("INVALID_ARGUMENT", `the file holds ${outcomes.length} bags; one is asked about`);
}
