import { abortErrorFromSignal, DomainError } from "@parfocal/errors";
import type { ObjectStore } from "@parfocal/store";
import type { Clock } from "./clock.ts";
import { type CasObject, createCasObject, isLostRace, readJson } from "./json-object.ts";
import { OWNER_KEY } from "./operation-keys.ts";
import { encodeOwner, type OwnerRecord, parseOwner } from "./owner-record.ts";
import { currentProcessIdentity, judgeProcess } from "./process-identity.ts";

/** The right of one process to write the journals of a store. */
export interface Ownership {
  /** Grows by one with every owner; written into every journal object, so that a late writer is recognised. */
  readonly epoch: number;
  /** Random, so that two owners are told apart even where a store lets both win an epoch. */
  readonly nonce: string;
  /** Fires, with an `UNREACHABLE` as reason, once another process has taken over. */
  readonly lost: AbortSignal;
  /** Returns at once while a renewal is recent; else renews first. @throws {DomainError} when lost or the store fails. */
  assertHeld(): Promise<void>;
  /** Declares the ownership lost, after a journal showed another owner's writing. */
  reportFenced(): void;
  /** Lets the next process take over at once. Never throws: an ownership that cannot be released expires. */
  release(): Promise<void>;
}

/** What {@link acquireOwnership} needs. */
export interface OwnershipOptions {
  readonly store: ObjectStore;
  readonly clock: Clock;
  /** Random id of this owner. */
  readonly nonce: string;
  /** A holder that cannot be judged by its process is dead once it has been silent for this long. */
  readonly ttlMs: number;
  /** Ends the wait for an expiry. */
  readonly signal?: AbortSignal | undefined;
}

/** Renewals in one time to live: three may fail before the ownership is in doubt. */
const HEARTBEATS_PER_TTL = 4;
/** Share of the time to live in which the holder trusts its last renewal; the rest is for clocks that run apart. */
const TRUSTED_SHARE = 0.75;
/** Share of the time to live that one renewal may take: a store that hangs must not hang every commit behind it. */
const RENEWAL_SHARE = 0.5;
/** Lost races before giving up: each means that somebody else got on. */
const MAX_ACQUIRE_ROUNDS = 5;

/**
 * Makes this process the owner of the store's operations and keeps it so until release.
 *
 * A holder on this very machine is judged by its process, so a killed one is replaced at once; any other is watched
 * for `ttlMs` by our own monotonic clock, so clocks are never compared between machines.
 *
 * @throws {DomainError} `CONFLICT` when another process owns them and lives; whatever the store throws.
 */
export async function acquireOwnership(options: OwnershipOptions): Promise<Ownership> {
  for (let round = 0; round < MAX_ACQUIRE_ROUNDS; round++) {
    const found = await readJson(options.store, OWNER_KEY);
    const previous = found === undefined ? undefined : parseOwner(found.value);
    if (found !== undefined && previous !== undefined) await waitForDeath(options, previous, found.etag);
    const record = firstRecord(options, (previous?.epoch ?? 0) + 1);
    const cas = createOwnerObject(options, found?.etag);
    const startedMs = options.clock.monotonicMs();
    try {
      await cas.write(encodeOwner(record));
      return keepOwnership(options, cas, record, startedMs);
    } catch (error) {
      if (!isLostRace(error)) throw error;
    }
  }
  throw refusal("several processes compete for it");
}

function firstRecord(options: OwnershipOptions, epoch: number): OwnerRecord {
  return { version: 1, epoch, nonce: options.nonce, beat: 0, isReleased: false, process: currentProcessIdentity() };
}

function createOwnerObject(options: OwnershipOptions, etag: string | undefined): CasObject {
  const isOurs = (value: unknown): boolean => parseOwner(value).nonce === options.nonce;
  const timeoutMs = options.ttlMs * RENEWAL_SHARE;
  return createCasObject({ store: options.store, key: OWNER_KEY, etag, isOurs, timeoutMs });
}

/**
 * Sees that no embedded driver runs the operations of a store, and changes nothing.
 *
 * @throws {DomainError} `CONFLICT` when one does; whatever the store throws.
 */
export async function assertNotOwned(options: Omit<OwnershipOptions, "nonce">): Promise<void> {
  const found = await readJson(options.store, OWNER_KEY);
  if (found !== undefined) await waitForDeath(options, parseOwner(found.value), found.etag);
}

async function waitForDeath(
  options: Omit<OwnershipOptions, "nonce">,
  holder: OwnerRecord,
  etag: string,
): Promise<void> {
  if (holder.isReleased) return;
  const verdict = judgeProcess(holder.process);
  if (verdict === "dead") return;
  if (verdict === "alive") throw refusal(`process ${holder.process.pid} on this machine runs it`);
  const untilMs = options.clock.monotonicMs() + options.ttlMs;
  while (options.clock.monotonicMs() < untilMs) {
    await options.clock.delay(options.ttlMs / HEARTBEATS_PER_TTL, options.signal);
    const now = await readJson(options.store, OWNER_KEY);
    if (now !== undefined && now.etag === etag) continue;
    if (now === undefined || parseOwner(now.value).isReleased) return;
    throw refusal("a process on another machine or in another container renewed its ownership just now");
  }
}

function refusal(why: string): DomainError {
  return new DomainError("CONFLICT", `another gateway owns the operations of this store: ${why}`);
}

function keepOwnership(options: OwnershipOptions, cas: CasObject, first: OwnerRecord, startedMs: number): Ownership {
  const { clock, ttlMs } = options;
  const lost = new AbortController();
  const stopped = new AbortController();
  let record = first;
  let trustedUntilMs = startedMs + ttlMs * TRUSTED_SHARE;
  let renewing: Promise<void> | undefined;

  const reportFenced = (): void => {
    if (lost.signal.aborted) return;
    lost.abort(new DomainError("UNREACHABLE", "this gateway lost the operations of its store to another one"));
    stopped.abort();
  };
  const write = async (isReleased: boolean): Promise<void> => {
    const atMs = clock.monotonicMs();
    record = { ...record, beat: record.beat + 1, isReleased };
    try {
      await cas.write(encodeOwner(record));
      trustedUntilMs = atMs + ttlMs * TRUSTED_SHARE;
    } catch (error) {
      if (!isLostRace(error)) throw error;
      reportFenced();
      throw abortErrorFromSignal(lost.signal);
    }
  };
  // Writers of one compare-and-swap chain must not overlap, so a heartbeat and a late check share one renewal.
  const renew = (): Promise<void> => (renewing ??= write(false).finally(() => (renewing = undefined)));
  const beat = async (): Promise<void> => {
    while (!stopped.signal.aborted) {
      await clock.delay(ttlMs / HEARTBEATS_PER_TTL, stopped.signal);
      await renew().catch(() => undefined); // Judged at the next commit: a silent store is no proof of a loss.
    }
  };
  const beating = beat().catch(() => undefined); // Ends by the abort of its delay.

  return {
    epoch: first.epoch,
    nonce: first.nonce,
    lost: lost.signal,
    reportFenced,
    async assertHeld() {
      if (record.isReleased) throw new DomainError("UNREACHABLE", "this gateway has stopped");
      if (!lost.signal.aborted && clock.monotonicMs() < trustedUntilMs) return;
      if (!lost.signal.aborted) await renew();
      lost.signal.throwIfAborted();
    },
    async release() {
      stopped.abort();
      await beating;
      await renewing?.catch(() => undefined);
      if (!lost.signal.aborted) await write(true).catch(() => undefined);
    },
  };
}
