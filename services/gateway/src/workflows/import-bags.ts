import { mapBounded } from "@parfocal/errors";
import { gatewayV1, parseResourceName } from "@parfocal/protocol";
import type { ObjectStore } from "@parfocal/store";
import type { Json, StepContext, Workflow } from "@parfocal/workflows";
import type { BagImporter } from "../imports/bag-importer.ts";
import type { SourceRoots } from "../imports/source-roots.ts";
import { hintsFromWire } from "../wire.ts";
import { answerEntries } from "./answer-entries.ts";
import { MAX_STAGE_ATTEMPTS } from "./stage-steps.ts";

/** Files of one step: few enough that a crash repeats little, many enough that 10 000 files need few journal entries. */
const FILES_PER_STEP = 32;
/** Files under way at a time; the pool of import processes sets the real pace. */
const CONCURRENT_FILES = 4;

/**
 * Imports every URI of an `ImportBagsRequest`. A file that cannot be imported is an entry of the answer, not a failure. When the
 * service fails (the store is away, no process can be started), its files are imported again; what was stored is found there.
 */
export function createImportBagsWorkflow(
  store: ObjectStore,
  importer: BagImporter,
  roots: SourceRoots,
): Workflow<Json, Json> {
  return async (context, input) => {
    const { parent, uris, hints } = gatewayV1.ImportBagsRequest.fromJSON(input);
    const { project } = parseResourceName("project", parent, "parent");
    const bags: Json[] = [];
    for (let start = 0; start < uris.length; start += FILES_PER_STEP) {
      const part = uris.slice(start, start + FILES_PER_STEP);
      const work = async (step: StepContext): Promise<Json[]> => {
        const perFile = await mapBounded(part, CONCURRENT_FILES, (uri, _, failed) => {
          const fileName = uri.slice(uri.lastIndexOf("/") + 1);
          const source = { kind: "object", ...roots.resolve(uri) } as const;
          const file = { project, path: uri, fileName, source, hints: hintsFromWire(hints) };
          return importer.importFile(file, AbortSignal.any([step.signal, failed]));
        });
        const done = start + part.length;
        step.report({ phase: "importing", fraction: done / uris.length, counters: { done, total: uris.length } });
        return perFile.flat().map((bag) => gatewayV1.ImportedBag.toJSON(bag) as Json);
      };
      const imported = await context.step(`files-${start}`, work, { maxAttempts: MAX_STAGE_ATTEMPTS });
      bags.push(...imported);
    }
    const { entries, ...listed } = await answerEntries(store, context, "bags.jsonl", bags);
    return { bags: entries, ...listed };
  };
}
