import { DomainError } from "@parfocal/errors";
import { canonicalJson } from "./canonical-json.ts";
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
  findRequest,
  type OperationRequest,
  readRequest,
} from "./operation-request.ts";
import type { OperationScope } from "./operation-scope.ts";
import { readStoredState } from "./stored-state.ts";
import type { OperationState, StartRequest } from "./workflow.ts";

/** Longest request id; a UUID has 36 characters. */
const MAX_REQUEST_ID = 128;

/**
 * Creates an operation, or finds the one that the same request created before.
 *
 * @throws {DomainError} `INVALID_ARGUMENT` for an unknown kind, a bad project or input; `CONFLICT` when the request id
 *   was used for other work; whatever the store throws.
 */
export async function startOperation(scope: OperationScope, request: StartRequest): Promise<OperationState> {
  assertStartable(scope, request);
  const { project, requestId } = request;
  const id = requestId === undefined ? scope.env.randomHex(16) : idFromRequestId(project, requestId);
  const ref = { project, id };
  return await scope.locks.run(refKey(ref), async () => {
    const earlier = requestId === undefined ? undefined : await findRequest(scope.env.store, ref);
    return earlier === undefined ? await create(scope, ref, request) : await join(scope, ref, request, earlier);
  });
}

function assertStartable(scope: OperationScope, request: StartRequest): void {
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

async function create(scope: OperationScope, ref: OperationRef, request: StartRequest): Promise<OperationState> {
  const { env } = scope;
  const { kind, input } = request;
  const createTimeMs = env.clock.nowMs();
  const entry: IndexEntry = { ...ref, kind, createTimeMs };
  const bytes = encodeText(encodeRequest({ version: 1, kind, createTimeMs, input }));
  await mark(scope, entry);
  try {
    // The markers say where to look; this put alone makes the operation.
    await env.store.put(requestKey(ref), bytes, { ifNoneMatch: "*", contentType: "application/json" });
  } catch (error) {
    if (!isLostRace(error)) throw error;
    const stored = await readRequest(env.store, ref);
    if (stored.createTimeMs !== createTimeMs) await env.store.delete(indexKey(entry));
    return await join(scope, ref, request, stored);
  }
  return admit(scope, entry);
}

async function join(
  scope: OperationScope,
  ref: OperationRef,
  request: StartRequest,
  stored: OperationRequest,
): Promise<OperationState> {
  assertSameRequest(stored, request.kind, request.input);
  const known = scope.pool.find(ref)?.record.state ?? (await readStoredState(scope.env.store, ref))?.stored.state;
  if (known !== undefined) return known;
  // Created, but cut off before it began, or deleted half-way: it begins (again) now.
  const entry: IndexEntry = { ...ref, kind: stored.kind, createTimeMs: stored.createTimeMs };
  await mark(scope, entry);
  return admit(scope, entry);
}

async function mark(scope: OperationScope, entry: IndexEntry): Promise<void> {
  const { env } = scope;
  await env.ownership.assertHeld();
  await Promise.all([
    env.store.put(openKey(entry), new Uint8Array()),
    env.store.put(indexKey(entry), new Uint8Array()),
  ]);
}

function admit(scope: OperationScope, entry: IndexEntry): OperationState {
  scope.index.add(entry);
  return scope.pool.add(entry, undefined);
}
