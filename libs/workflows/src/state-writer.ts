import { type CommitOptions, commit } from "./commit.ts";
import type { DriverEnvironment } from "./driver-environment.ts";
import { type CasObject, createCasObject, isLostRace } from "./json-object.ts";
import { type OperationRef, stateKey } from "./operation-keys.ts";
import { encodeStoredState, parseStoredState } from "./stored-state.ts";
import type { OperationState } from "./workflow.ts";

/** Sequences that may be shown between two writes. A restart goes on above them, so no watcher sees a number twice. */
const RESERVED_SEQUENCES = 1000;

/** Writes the states of one operation, each on top of the one before. */
export interface StateWriter {
  /** Largest sequence that may be shown before the next write. */
  readonly ceiling: number;
  /** Stores `state` under this owner's epoch. Calls must not overlap. @throws {DomainError} `PRECONDITION_FAILED`. */
  write(state: OperationState, options?: CommitOptions): Promise<void>;
  /** Goes on from another version of the object. */
  rebase(etag: string): void;
  /** Runs `work` after the work asked for before it, also when that failed. */
  inOrder(work: () => Promise<void>): Promise<void>;
}

/** A writer that continues from the version `etag`; from no object when undefined. */
export function createStateWriter(
  env: DriverEnvironment,
  ref: OperationRef,
  etag: string | undefined,
  shown: number,
): StateWriter {
  const { epoch, nonce } = env.ownership;
  let cas = stateObject(env, ref, etag);
  let ceiling = shown;
  let tail: Promise<void> = Promise.resolve();
  return {
    get ceiling() {
      return ceiling;
    },
    async write(state, options) {
      const next = state.sequence + RESERVED_SEQUENCES;
      const text = encodeStoredState({ version: 1, epoch, nonce, ceiling: next, state });
      await commit(env, () => cas.write(text), options);
      ceiling = next;
    },
    rebase(latest) {
      cas = stateObject(env, ref, latest);
    },
    inOrder(work) {
      const done = tail.then(work);
      tail = done.catch(() => undefined);
      return done;
    },
  };
}

/** Runs `work`; a lost race in it means that another owner has taken the operation over, so the store is lost. */
export async function fenceOnConflict(env: DriverEnvironment, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (isLostRace(error)) env.ownership.reportFenced();
    throw error;
  }
}

function stateObject(env: DriverEnvironment, ref: OperationRef, etag: string | undefined): CasObject {
  const isOurs = (value: unknown): boolean => parseStoredState(value).nonce === env.ownership.nonce;
  return createCasObject({ store: env.store, key: stateKey(ref), etag, isOurs });
}
