import { isDomainError } from "@parfocal/errors";
import type { gatewayV1 } from "@parfocal/protocol";
import type { ObjectStore } from "@parfocal/store";
import type { BagCatalog } from "../catalog/bag-catalog.ts";
import { keys } from "../catalog/keys.ts";
import { importedBagFromOutcome } from "../wire.ts";
import type { ImportHints, ImportJob, ImportOutcome, StoreAddress } from "./import-messages.ts";
import type { ImportPool } from "./import-pool.ts";

/** One file to import into a project. */
interface FileToImport {
  readonly project: string;
  /** The file as the client named it, for the answer. */
  readonly path: string;
  /** Its name with the ending that tells the layout. */
  readonly fileName: string;
  readonly source: ImportJob["source"];
  readonly hints: ImportHints;
}

/** Turns files into bags of the catalog. */
export interface BagImporter {
  /** Imports one file: its bags in order, and at the end the reason if it could not be read to its end. */
  importFile(file: FileToImport, signal: AbortSignal): Promise<gatewayV1.ImportedBag[]>;
}

/** Imports through a pool of processes into the store at `address`, which is `store`. */
export function createBagImporter(
  store: ObjectStore,
  address: StoreAddress,
  bags: BagCatalog,
  pool: ImportPool,
): BagImporter {
  return {
    async importFile({ project, path, fileName, source, hints }, signal) {
      const job = { source, fileName, hints, target: address, targetPrefix: keys.bagPrefix(project) };
      const imported: gatewayV1.ImportedBag[] = [];
      for await (const outcome of pool.run(job, signal)) {
        const { entered, isNew } = await enterBag(bags, project, outcome, signal);
        imported.push(importedBagFromOutcome(store, project, path, entered, entered.kind === "bag" && !isNew));
      }
      return imported;
    },
  };
}

/** Enters a bag in the catalog. One that was deleted meanwhile is an outcome of its file, not a failure of the others. */
async function enterBag(
  bags: BagCatalog,
  project: string,
  outcome: ImportOutcome,
  signal: AbortSignal,
): Promise<{ readonly entered: ImportOutcome; readonly isNew: boolean }> {
  if (outcome.kind === "error") return { entered: outcome, isNew: false };
  try {
    return { entered: outcome, isNew: await bags.add(project, outcome, { signal }) };
  } catch (error) {
    if (!isDomainError(error, "NOT_FOUND")) throw error;
    return { entered: { kind: "error", code: error.code, message: error.message }, isNew: false };
  }
}
