import { DomainError, type DomainErrorCode } from "@parfocal/errors";
import type { ImportReply } from "./import-messages.ts";

/** What an import is busy with: reading the object that the client named, parsing it, or storing its bags in our own store. */
export type ImportPhase = "source" | "file" | "target";

/**
 * What the store of a source says when it is away. All else it says is of the object: that it is not there, damaged, or not for us
 * to read, which concerns the URI that the client chose and none of its others.
 */
const SOURCE_OUTAGES: ReadonlySet<DomainErrorCode> = new Set(["UNREACHABLE", "THROTTLED"]);

/**
 * What is said of a bag while it is stored: by the checks of its contents, and of an older object of its digest. All else is our own
 * store's: also `FORBIDDEN` (expired credentials) and `RESOURCE_EXHAUSTED` (it is full) would meet every file alike.
 */
const BAG_FAULTS: ReadonlySet<DomainErrorCode> = new Set([
  ...(["EMPTY_BAG", "NON_FINITE", "SHAPE_MISMATCH", "CORRUPT", "TRUNCATED"] as const),
]);

/** What the worker says of an error, as its last reply: an outcome of the file, or a failure of the service. */
export function replyFromError(error: unknown, phase: ImportPhase): ImportReply {
  if (!(error instanceof DomainError)) {
    const message = `the importer failed: ${error instanceof Error ? error.name : "unknown"}`;
    return { kind: "outcome", outcome: { kind: "error", code: "INTERNAL", message } };
  }
  const { code, message } = error;
  if (isOfService(code, phase)) return { kind: "failed", code, message };
  return { kind: "outcome", outcome: { kind: "error", code, message } };
}

function isOfService(code: DomainErrorCode, phase: ImportPhase): boolean {
  switch (phase) {
    case "source":
      return SOURCE_OUTAGES.has(code);
    case "file":
      return false;
    case "target":
      return !BAG_FAULTS.has(code);
  }
}
