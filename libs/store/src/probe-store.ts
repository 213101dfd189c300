import { randomUUID } from "node:crypto";
import { isDomainError } from "@parfocal/errors";
import type { CallOptions, ObjectStore } from "./object-store.ts";

/** Self-hosted servers with a race let 2 to 32 of 32 writers win; 16 find it nearly always in one of a few rounds. */
const N_WRITERS = 16;
const N_ROUNDS = 3;

/**
 * Whether a condition held under racing writers: `exact`: one winner each time; `broken`: some other number; `refused`: never one,
 * as the server takes no conditional writes.
 */
export type ConditionKind = "exact" | "broken" | "refused";

/** What the probe found. */
export interface StoreProbe {
  /** `If-None-Match: *`: what commits of manifests rely on. */
  readonly conditionalPuts: ConditionKind;
  /** `If-Match`: what aliases rely on. */
  readonly conditionalUpdates: ConditionKind;
  /** Winners of each round of racing creates, and of racing updates; 1 is right. */
  readonly createWinners: readonly number[];
  readonly updateWinners: readonly number[];
  readonly nWriters: number;
}

/**
 * Lets 16 writers race for one key, three times creating and three times replacing, and counts the winners. Objects of
 * the probe are named `parfocal-probe-<uuid>` and removed, also after a failure.
 *
 * A store whose answer is `broken` loses commits when two writers meet: use it with one writer only. One whose answer is `refused`
 * takes no commits at all.
 *
 * @throws {DomainError} the store's failure (UNREACHABLE, FORBIDDEN, ...) when it cannot be probed at all.
 */
export async function probeStore(store: ObjectStore, options: CallOptions = {}): Promise<StoreProbe> {
  const createWinners: number[] = [];
  const updateWinners: number[] = [];
  for (let round = 0; round < N_ROUNDS; round += 1) {
    const key = `parfocal-probe-${randomUUID()}`;
    try {
      const nCreated = await countWinners((bytes) => store.put(key, bytes, { ...options, ifNoneMatch: "*" }));
      createWinners.push(nCreated);
      // Where nobody could create under a condition, a write without one tells whether the store can be written at all.
      const { etag } = await (nCreated === 0 ? store.put(key, new Uint8Array(1), options) : store.head(key, options));
      updateWinners.push(await countWinners((bytes) => store.put(key, bytes, { ...options, ifMatch: etag })));
    } finally {
      // Also after the caller's signal: the probe leaves nothing behind.
      await store.delete(key).catch(() => undefined);
    }
  }
  return {
    conditionalPuts: kindOf(createWinners),
    conditionalUpdates: kindOf(updateWinners),
    createWinners,
    updateWinners,
    nWriters: N_WRITERS,
  };
}

async function countWinners(put: (bytes: Uint8Array) => Promise<unknown>): Promise<number> {
  const tries = Array.from({ length: N_WRITERS }, (_, index) => put(Buffer.from(`${index} ${randomUUID()}`)));
  const results = await Promise.allSettled(tries);
  for (const result of results) {
    if (result.status === "rejected" && !isLostRace(result.reason)) throw result.reason;
  }
  return results.filter(({ status }) => status === "fulfilled").length;
}

/** Losing is expected. A server that refuses conditions altogether (400, 405, 501) has no winner. */
function isLostRace(error: unknown): boolean {
  return ["PRECONDITION_FAILED", "CONFLICT", "UNSUPPORTED_OPERATION", "INVALID_ARGUMENT"].some(
    (code) => isDomainError(error) && error.code === code,
  );
}

function kindOf(winners: readonly number[]): ConditionKind {
  if (winners.every((nWinners) => nWinners === 0)) return "refused";
  return winners.every((nWinners) => nWinners === 1) ? "exact" : "broken";
}
