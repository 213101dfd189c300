import { DomainError, isDomainError } from "@parfocal/errors";
import type { ObjectStore } from "@parfocal/store";

/** An object read as JSON, not yet checked. */
export interface JsonObject {
  readonly value: unknown;
  readonly text: string;
  readonly etag: string;
}

/**
 * Reads a small JSON object; undefined when there is none.
 *
 * @throws {DomainError} `CORRUPT` when the bytes are not JSON; whatever the store throws.
 */
export async function readJson(store: ObjectStore, key: string): Promise<JsonObject | undefined> {
  const found = await store.get(key).catch(undefinedWhenMissing);
  if (found === undefined) return undefined;
  const text = new TextDecoder().decode(found.bytes);
  return { value: parseText(text), text, etag: found.etag };
}

/** A JSON object with one writer at a time, changed by compare-and-swap only. */
export interface CasObject {
  /**
   * Replaces what this writer last saw by `text`. An earlier write of our own whose answer was lost is recognised.
   *
   * @throws {DomainError} `PRECONDITION_FAILED` when someone else changed the object.
   */
  write(text: string): Promise<void>;
}

/** What a {@link CasObject} needs. */
export interface CasObjectOptions {
  readonly store: ObjectStore;
  readonly key: string;
  /** Tag of the version last seen; undefined when there is no object yet. */
  readonly etag: string | undefined;
  /** Longest wait for one write; unbounded when absent. */
  readonly timeoutMs?: number;
  /** Whether these stored contents were written by this very writer. */
  isOurs(value: unknown): boolean;
}

/** A compare-and-swap writer. Calls must not overlap. */
export function createCasObject(options: CasObjectOptions): CasObject {
  const { store, key, timeoutMs } = options;
  let etag = options.etag;
  const swap = async (text: string): Promise<void> => {
    const condition = etag === undefined ? ({ ifNoneMatch: "*" } as const) : { ifMatch: etag };
    const bound = timeoutMs === undefined ? {} : { signal: AbortSignal.timeout(timeoutMs) };
    etag = (await store.put(key, encodeText(text), { ...condition, ...bound, contentType: "application/json" })).etag;
  };
  return {
    async write(text) {
      try {
        await swap(text);
      } catch (error) {
        if (!isLostRace(error)) throw error;
        // A retried request may find its own first try; only the contents can tell that from a competitor's write.
        const current = await readJson(store, key);
        if (current === undefined || !options.isOurs(current.value)) throw lostRace(error);
        etag = current.etag;
        if (current.text !== text) await swap(text);
      }
    },
  };
}

/** UTF-8 bytes of `text`. */
export function encodeText(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** Turns `NOT_FOUND` into undefined and throws everything else again. */
function undefinedWhenMissing(error: unknown): undefined {
  if (!isDomainError(error, "NOT_FOUND")) throw error;
  return undefined;
}

/** Whether a conditional write failed because of its condition; S3 answers `If-Match` on a missing key with 404. */
export function isLostRace(error: unknown): boolean {
  return isDomainError(error, "PRECONDITION_FAILED") || isDomainError(error, "NOT_FOUND");
}

function lostRace(cause: unknown): DomainError {
  return new DomainError("PRECONDITION_FAILED", "another process changed an object that this one owned", { cause });
}

function parseText(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    throw new DomainError("CORRUPT", `a journal object of ${text.length} characters is not JSON`, { cause });
  }
}
