import { mapBounded } from "@parfocal/errors";
import type { gatewayV1 } from "@parfocal/protocol";
import { describeError } from "../exit-codes.ts";
import type { GatewayClients } from "./clients.ts";
import type { FoundFile } from "./find-files.ts";
import { type UploadOptions, uploadFile } from "./upload-file.ts";

/** One bag of a file, or why the file (or the rest of it) made none. */
export type FileOutcome =
  | {
      readonly kind: "bag";
      readonly path: string;
      readonly bag: gatewayV1.Bag;
      readonly inferred: Readonly<Record<string, string>>;
      readonly existed: boolean;
    }
  | { readonly kind: "error"; readonly path: string; readonly code: string; readonly message: string };

/** Files uploaded at a time: the gateway parses two at a time by default, the others keep its disk busy. */
const CONCURRENT_UPLOADS = 4;

/** Settings of {@link importFiles}. */
export interface ImportFilesOptions extends UploadOptions {
  /** Told what came of each file, in the order in which they are done. */
  readonly onFile?: (outcomes: readonly FileOutcome[], nDone: number) => void;
}

/** Imports files, several at a time; gives what came of each, in their order. A file that fails does not stop the others. */
export async function importFiles(
  clients: GatewayClients,
  files: readonly FoundFile[],
  options: ImportFilesOptions,
): Promise<readonly (readonly FileOutcome[])[]> {
  let nDone = 0;
  return mapBounded(files, CONCURRENT_UPLOADS, async (file) => {
    const outcomes = await importOne(clients, file, options);
    options.onFile?.(outcomes, ++nDone);
    return outcomes;
  });
}

async function importOne(
  clients: GatewayClients,
  file: FoundFile,
  options: UploadOptions,
): Promise<readonly FileOutcome[]> {
  const { path, problem } = file;
  if (problem !== undefined) return [{ kind: "error", path, code: problem.code, message: problem.message }];
  try {
    const imported = await uploadFile(clients, file, options);
    if (imported.length > 0) return imported.map((entry) => outcomeOf(path, entry));
    return [{ kind: "error", path, code: "EMPTY_BAG", message: "the file made no bag" }];
  } catch (error) {
    // Nobody to import into, or nobody who waits: that is not about this file.
    const { code, message } = describeError(error);
    if (options.signal.aborted || code === "UNREACHABLE") throw error;
    return [{ kind: "error", path, code, message }];
  }
}

function outcomeOf(path: string, { result, inferred, existed }: gatewayV1.ImportedBag): FileOutcome {
  if (result?.$case === "bag") return { kind: "bag", path, bag: result.value, inferred, existed };
  const { code, message } = result?.value ?? { code: "INTERNAL", message: "the gateway gave no result" };
  return { kind: "error", path, code, message };
}
