import type { gatewayV1 } from "@parfocal/protocol";
import type { ObjectStore } from "@parfocal/store";
import type { BagCatalog } from "../catalog/bag-catalog.ts";
import { keys } from "../catalog/keys.ts";
import { importedBagFromOutcome } from "../wire.ts";
import type { ImportHints, ImportJob, StoreAddress } from "./import-messages.ts";
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
        const isNew = outcome.kind === "bag" && (await bags.add(project, outcome, { signal }));
        imported.push(importedBagFromOutcome(store, project, path, outcome, outcome.kind === "bag" && !isNew));
      }
      return imported;
    },
  };
}
