import { DomainError } from "@parfocal/errors";
import type { ObjectStore } from "@parfocal/store";
import { createEventSource, type EventSource } from "../event-source.ts";
import { encodeText, isLostRace, readJson } from "../json-object.ts";
import { refKey } from "../operation-index.ts";
import { type OperationRef, openKey, outcomeKey, stateKey } from "../operation-keys.ts";
import { entryOfRequest, findRequest } from "../operation-request.ts";
import {
  encodeStoredState,
  isDone,
  parseStoredState,
  queuedState,
  readStoredState,
  unlessCorrupt,
} from "../stored-state.ts";
import type { OperationState } from "../workflow.ts";

/** Stands where the embedded driver has its owner: with it, that driver can read what this one wrote, and the other way round. */
const NO_OWNER = { version: 1, epoch: 0, nonce: "temporal" } as const;

/** The states of operations when several processes write them. */
export interface SharedState {
  /** The state of an operation; undefined when it has none yet. Outcomes come first: nothing overwrites one. */
  find(ref: OperationRef): Promise<OperationState | undefined>;
  /** As `find`; an operation that was only asked for is queued. @throws {DomainError} `NOT_FOUND`. */
  read(ref: OperationRef): Promise<OperationState>;
  /** Changes the state unless it is done; gives the one that stands then. A change that changes nothing is not written. */
  change(ref: OperationRef, change: (state: OperationState) => Partial<OperationState>): Promise<OperationState>;
  /**
   * Gives an operation its outcome, once: a second outcome gives the first. A state that cannot be read counts as none and is
   * replaced.
   */
  finish(ref: OperationRef, outcome: OperationState["outcome"], endTimeMs: number): Promise<OperationState>;
  /** Wakes when this process has changed the state of the operation. */
  changes(ref: OperationRef): EventSource;
}

/** The shared states of a store. */
export function createSharedState(store: ObjectStore): SharedState {
  const sources = new Map<string, WeakRef<EventSource>>();
  const changes = (ref: OperationRef): EventSource => {
    const key = refKey(ref);
    const known = sources.get(key)?.deref();
    if (known !== undefined) return known;
    const source = createEventSource();
    for (const [other, weak] of sources) if (weak.deref() === undefined) sources.delete(other);
    sources.set(key, new WeakRef(source));
    return source;
  };
  const find = async (ref: OperationRef): Promise<OperationState | undefined> => {
    const state = (await readStoredState(store, ref))?.stored.state;
    return state !== undefined && isDone(state) ? state : ((await readOutcome(store, ref)) ?? state);
  };
  const read = async (ref: OperationRef): Promise<OperationState> =>
    (await find(ref)) ?? (await readQueued(store, ref));

  const change: SharedState["change"] = async (ref, changed) => {
    for (;;) {
      const found = await readStoredState(store, ref);
      const outcome = await readOutcome(store, ref);
      const state = outcome ?? found?.stored.state ?? (await readQueued(store, ref));
      const fields = isDone(state) ? {} : changed(state);
      const isStored = found !== undefined && isDone(found.stored.state) === isDone(state);
      if (Object.keys(fields).length === 0 && isStored) return state;
      const next = { ...state, ...fields, ...(isDone(state) ? {} : { sequence: state.sequence + 1 }) };
      const condition = found === undefined ? ({ ifNoneMatch: "*" } as const) : { ifMatch: found.etag };
      try {
        await store.put(stateKey(ref), encodeState(next), { ...condition, contentType: "application/json" });
      } catch (error) {
        if (!isLostRace(error)) throw error;
        continue; // Somebody else got on; what they wrote is read now.
      }
      changes(ref).wake();
      return next;
    }
  };
  /** Puts the outcome where something stands that cannot be read. Nobody's change is lost: there can be none once it stands. */
  const replace = async (ref: OperationRef, own: OperationState): Promise<OperationState> => {
    const state = (await unlessCorrupt(() => readOutcome(store, ref))) ?? own;
    await store.put(stateKey(ref), encodeState(state), { contentType: "application/json" });
    changes(ref).wake();
    return state;
  };

  return {
    find,
    read,
    change,
    changes,
    async finish(ref, outcome, endTimeMs) {
      const before = (await unlessCorrupt(() => read(ref))) ?? (await readQueued(store, ref));
      const own = isDone(before) ? before : endedState(before, outcome, endTimeMs);
      if (!isDone(before)) await putOutcome(store, ref, own);
      const done = (await unlessCorrupt(() => change(ref, () => ({})))) ?? (await replace(ref, own));
      await store.delete(openKey(ref));
      return done;
    },
  };
}

function endedState(state: OperationState, outcome: OperationState["outcome"], endTimeMs: number): OperationState {
  // The cluster's clock may be behind that of the gateway which took the request.
  return { ...state, endTimeMs: Math.max(endTimeMs, state.createTimeMs), outcome, sequence: state.sequence + 1 };
}

function encodeState(state: OperationState): Uint8Array {
  return encodeText(encodeStoredState({ ...NO_OWNER, ceiling: state.sequence, state }));
}

/** The outcome has an object of its own: where a store lets two writers win, late progress cannot take its place. */
async function putOutcome(store: ObjectStore, ref: OperationRef, state: OperationState): Promise<void> {
  try {
    await store.put(outcomeKey(ref), encodeState(state), { ifNoneMatch: "*", contentType: "application/json" });
  } catch (error) {
    if (!isLostRace(error)) throw error;
  }
}

async function readOutcome(store: ObjectStore, ref: OperationRef): Promise<OperationState | undefined> {
  const found = await readJson(store, outcomeKey(ref));
  return found === undefined ? undefined : parseStoredState(found.value).state;
}

async function readQueued(store: ObjectStore, ref: OperationRef): Promise<OperationState> {
  const request = await findRequest(store, ref);
  if (request === undefined) throw new DomainError("NOT_FOUND", `there is no operation ${refKey(ref)}`);
  return queuedState(entryOfRequest(ref, request));
}
