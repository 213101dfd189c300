import { DOMAIN_ERROR_CODES, DomainError, isDomainError } from "@parfocal/errors";
import type { ImportedBag, ImportOptions } from "./imported-bag.ts";

/** What the importing thread is asked for. After each bag it waits for `next`. */
export type ImportRequest =
  | { readonly kind: "open"; readonly path: string; readonly options: Omit<ImportOptions, "signal"> }
  | { readonly kind: "next" };

/** What it answers: one of these to every request. */
export type ImportReply =
  | { readonly kind: "bag"; readonly imported: ImportedBag }
  | { readonly kind: "done" }
  | {
      readonly kind: "error";
      readonly code: string;
      readonly message: string;
      readonly details: Readonly<Record<string, string>>;
    };

/** What it tells in between: the file is in memory, from now on only its parsing takes time. */
export interface ImportProgress {
  readonly kind: "read";
  readonly sizeBytes: number;
}

/** An error as a message: class instances do not survive the way between threads. */
export function replyFromError(error: unknown): ImportReply {
  if (isDomainError(error)) {
    return { kind: "error", code: error.code, message: error.message, details: error.details };
  }
  const text = error instanceof Error ? error.message : String(error);
  const isMemory = error instanceof RangeError && /allocation|array (?:buffer )?length|memory/iu.test(text);
  const code = isMemory ? "OUT_OF_MEMORY" : "INTERNAL";
  const message = isMemory ? "there was no memory for the arrays of the file" : `the importer failed: ${text}`;
  return { kind: "error", code, message, details: {} };
}

/** The error that a message stands for. */
export function errorFromReply(reply: Extract<ImportReply, { kind: "error" }>): DomainError {
  const code = DOMAIN_ERROR_CODES.find((known) => known === reply.code) ?? "INTERNAL";
  return new DomainError(code, reply.message, { details: reply.details });
}
