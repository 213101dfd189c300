import { DomainError } from "@parfocal/errors";
import type { ObjectStore } from "@parfocal/store";
import { canonicalJson } from "./canonical-json.ts";
import type { Clock } from "./clock.ts";
import { isTransient } from "./commit.ts";
import { encodeText, isLostRace } from "./json-object.ts";
import { refKey } from "./operation-index.ts";
import {
  assertKind,
  assertProject,
  type IndexEntry,
  idFromRequestId,
  indexKey,
  type OperationRef,
  openKey,
  requestKey,
} from "./operation-keys.ts";
import {
  assertSameRequest,
  encodeRequest,
  entryOfRequest,
  findRequest,
  type OperationRequest,
  readRequest,
} from "./operation-request.ts";
import type { KeyedLocks } from "./operation-scope.ts";
import type { OperationState, StartRequest, WorkflowRegistry } from "./workflow.ts";

/** Longest request id; a UUID has 36 characters. */
const MAX_REQUEST_ID = 128;
/** Tries of the write that creates an operation, on top of the store's own, and the pause after the first, which doubles, ms. */
const MAX_TRIES = 5;
const PAUSE_MS = 100;

/** What creating an operation needs of a driver. */
export interface StartScope {
  readonly store: ObjectStore;
  readonly clock: Pick<Clock, "nowMs" | "delay">;
  readonly randomHex: (nBytes: number) => string;
  readonly registry: WorkflowRegistry;
  /** Orders the calls of this process that create and delete one operation. */
  readonly locks: KeyedLocks;
  /** Throws when this process may not write operations. */
  assertMayWrite(): Promise<void>;
  /** The state of an operation; undefined when it has not begun. */
  findState(ref: OperationRef): Promise<OperationState | undefined>;
  /** Has an operation run that is in the store and has not begun. */
  admit(entry: IndexEntry): Promise<OperationState>;
}

/**
 * Creates an operation, or finds the one that the same request created before.
 *
 * @throws {DomainError} `INVALID_ARGUMENT` for an unknown kind, a bad project or input; `CONFLICT` when the request id
 *   was used for other work; whatever the store throws.
 */
export async function startOperation(scope: StartScope, request: StartRequest): Promise<OperationState> {
  assertStartable(scope, request);
  const { project, requestId } = request;
  const id = requestId === undefined ? scope.randomHex(16) : idFromRequestId(project, requestId);
  const ref = { project, id };
  return await scope.locks.run(refKey(ref), async () => {
    const earlier = requestId === undefined ? undefined : await findRequest(scope.store, ref);
    return earlier === undefined ? await create(scope, ref, request) : await join(scope, ref, request, earlier);
  });
}

/**
 * Finds the operation that the same request created before, and creates none.
 *
 * @returns undefined when there is none, or the request has no id.
 * @throws {DomainError} As {@link startOperation}.
 */
export async function joinOperation(scope: StartScope, request: StartRequest): Promise<OperationState | undefined> {
  assertStartable(scope, request);
  const { project, requestId } = request;
  if (requestId === undefined) return undefined;
  const ref = { project, id: idFromRequestId(project, requestId) };
  return await scope.locks.run(refKey(ref), async () => {
    const earlier = await findRequest(scope.store, ref);
    return earlier === undefined ? undefined : await join(scope, ref, request, earlier);
  });
}

function assertStartable(scope: StartScope, request: StartRequest): void {
  assertProject(request.project);
  assertKind(request.kind);
  canonicalJson(request.input, "the input");
  if (!Object.hasOwn(scope.registry, request.kind)) {
    const kinds = Object.keys(scope.registry).sort().join(", ");
    throw new DomainError("INVALID_ARGUMENT", `there is no workflow "${request.kind}"; there are: ${kinds}`);
  }
  const length = request.requestId?.length ?? 1;
  if (length < 1 || length > MAX_REQUEST_ID) {
    throw new DomainError(
      "INVALID_ARGUMENT",
      `the request id has ${length} characters; 1 to ${MAX_REQUEST_ID} are allowed`,
    );
  }
}

async function create(scope: StartScope, ref: OperationRef, request: StartRequest): Promise<OperationState> {
  const { store } = scope;
  const { kind, input } = request;
  const createTimeMs = scope.clock.nowMs();
  const target = request.target === undefined ? {} : { target: request.target(ref.id) };
  const entry: IndexEntry = { ...ref, kind, createTimeMs, ...target };
  const text = encodeRequest({ version: 1, kind, createTimeMs, input, ...target });
  // The markers say where to look; writing the request alone makes the operation.
  await mark(scope, entry);
  const stored = await createRequest(scope, ref, encodeText(text));
  if (stored === undefined || encodeRequest(stored) === text) return await scope.admit(entry);
  if (stored.createTimeMs !== createTimeMs) await store.delete(indexKey(entry));
  return await join(scope, ref, request, stored);
}

/**
 * Writes the request of a new operation; gives the one that was there before, which may be this very one. A write without an answer
 * may have made the operation, and nobody would know of it: it is tried again until the store says what is there.
 *
 * @throws {DomainError} what the store throws in the end: then nothing was created as far as can be known.
 */
async function createRequest(
  scope: StartScope,
  ref: OperationRef,
  bytes: Uint8Array,
): Promise<OperationRequest | undefined> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await createOrRead(scope.store, ref, bytes);
    } catch (error) {
      if (!isTransient(error) || attempt === MAX_TRIES) throw error;
    }
    await scope.clock.delay(PAUSE_MS * 2 ** (attempt - 1));
    await scope.assertMayWrite();
  }
}

async function createOrRead(
  store: ObjectStore,
  ref: OperationRef,
  bytes: Uint8Array,
): Promise<OperationRequest | undefined> {
  try {
    await store.put(requestKey(ref), bytes, { ifNoneMatch: "*", contentType: "application/json" });
    return undefined;
  } catch (error) {
    if (!isLostRace(error)) throw error;
    return await readRequest(store, ref);
  }
}

async function join(
  scope: StartScope,
  ref: OperationRef,
  request: StartRequest,
  stored: OperationRequest,
): Promise<OperationState> {
  assertSameRequest(stored, request.kind, request.input);
  const known = await scope.findState(ref);
  if (known !== undefined) return known;
  // Created, but cut off before it began, or deleted half-way: it begins (again) now.
  const entry = entryOfRequest(ref, stored);
  await mark(scope, entry);
  return await scope.admit(entry);
}

async function mark({ store, assertMayWrite }: StartScope, entry: IndexEntry): Promise<void> {
  await assertMayWrite();
  await Promise.all([store.put(openKey(entry), new Uint8Array()), store.put(indexKey(entry), new Uint8Array())]);
}
