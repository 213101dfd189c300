import { DomainError, isDomainError } from "@parfocal/errors";
import type { ObjectStore } from "@parfocal/store";
import { readJson } from "./json-object.ts";
import { type IndexEntry, type OperationRef, operationName, stateKey } from "./operation-keys.ts";
import type { OperationState } from "./workflow.ts";

/** What `state.json` holds. The object is one chain of compare-and-swaps: whoever holds its newest tag may go on. */
export interface StoredState {
  readonly version: 1;
  /** Owner that wrote it. Its journal is the one that counts. */
  readonly epoch: number;
  readonly nonce: string;
  /** Largest sequence that watchers may have seen before the next write. */
  readonly ceiling: number;
  readonly state: OperationState;
}

/** The text of `state.json`. */
export function encodeStoredState(stored: StoredState): string {
  return JSON.stringify(stored);
}

/** @throws {DomainError} `CORRUPT` when `value` is no operation state of version 1. */
export function parseStoredState(value: unknown): StoredState {
  if (!isStoredState(value)) throw new DomainError("CORRUPT", "a stored operation state is not one of version 1");
  return value;
}

function isStoredState(value: unknown): value is StoredState {
  const stored = value as Partial<StoredState> | null | undefined;
  if (stored?.version !== 1 || typeof stored.nonce !== "string") return false;
  if (!Number.isSafeInteger(stored.epoch) || !Number.isSafeInteger(stored.ceiling)) return false;
  const state = stored.state as Partial<OperationState> | undefined;
  if (typeof state?.name !== "string" || typeof state.kind !== "string") return false;
  if (!Number.isSafeInteger(state.sequence) || typeof state.createTimeMs !== "number") return false;
  return typeof state.progress?.phase === "string" && typeof state.outcome?.kind === "string";
}

/** Whether the operation has its outcome. */
export function isDone(state: OperationState): boolean {
  return state.outcome.kind !== "running";
}

/** A stored state with the tag of its version. */
export interface FoundState {
  readonly stored: StoredState;
  readonly etag: string;
}

/** Reads the stored state of an operation; undefined when it was never claimed. @throws {DomainError} `CORRUPT`. */
export async function readStoredState(store: ObjectStore, ref: OperationRef): Promise<FoundState | undefined> {
  const found = await readJson(store, stateKey(ref));
  return found === undefined ? undefined : { stored: parseStoredState(found.value), etag: found.etag };
}

/** The state of an operation that was asked for and not begun. */
export function queuedState(entry: IndexEntry): OperationState {
  return {
    name: operationName(entry),
    kind: entry.kind,
    ...(entry.target === undefined ? {} : { target: entry.target }),
    createTimeMs: entry.createTimeMs,
    isCancelRequested: false,
    progress: { phase: "queued" },
    sequence: 1,
    outcome: { kind: "running" },
  };
}

/** What a later process shows of a state that it found: the same when done, else waiting, above every sequence seen. */
export function resumedState(stored: StoredState): OperationState {
  if (isDone(stored.state)) return stored.state;
  return { ...stored.state, sequence: stored.ceiling + 1, progress: { ...stored.state.progress, phase: "queued" } };
}

/** As {@link readStoredState}, with a state that cannot be read shown as failed. */
export function readShownState(store: ObjectStore, entry: IndexEntry): Promise<OperationState | undefined> {
  return orShownAsCorrupt(entry, async () => (await readStoredState(store, entry))?.stored.state);
}

/** One operation whose state cannot be read does not spoil a listing: it is shown as failed with `CORRUPT`. */
export async function orShownAsCorrupt(
  entry: IndexEntry,
  read: () => Promise<OperationState | undefined>,
): Promise<OperationState | undefined> {
  try {
    return await read();
  } catch (error) {
    if (!isDomainError(error, "CORRUPT")) throw error;
    return { ...queuedState(entry), outcome: { kind: "failed", code: "CORRUPT", message: error.message } };
  }
}

/** What `read` gives; undefined when what is stored cannot be read, for whoever can go on without it. */
export async function unlessCorrupt<T>(read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if (!isDomainError(error, "CORRUPT")) throw error;
    return undefined;
  }
}
