import { DomainError } from "@parfocal/errors";
import { type ProcessIdentity, parseProcessIdentity } from "./process-identity.ts";
import type { Json } from "./workflow.ts";

/** What the ownership object holds. */
export interface OwnerRecord {
  readonly version: 1;
  readonly epoch: number;
  readonly nonce: string;
  /** Grows with every renewal, so that equal bytes mean a silent holder. */
  readonly beat: number;
  readonly isReleased: boolean;
  readonly process: ProcessIdentity;
}

/** The text of the ownership object. */
export function encodeOwner(record: OwnerRecord): string {
  return JSON.stringify(record);
}

/** @throws {DomainError} `CORRUPT` when `value` is no ownership record of version 1. */
export function parseOwner(value: unknown): OwnerRecord {
  const fields = (typeof value === "object" && value !== null ? value : {}) as Record<string, Json>;
  const { version, epoch, nonce, beat, isReleased } = fields;
  const process = parseProcessIdentity(fields.process);
  const isComplete = typeof epoch === "number" && typeof nonce === "string" && typeof beat === "number";
  if (version !== 1 || !isComplete || typeof isReleased !== "boolean" || process === undefined) {
    throw new DomainError("CORRUPT", "the ownership object of this store is not one of version 1");
  }
  return { version, epoch, nonce, beat, isReleased, process };
}
