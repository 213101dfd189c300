import { DomainError } from "@parfocal/errors";
import type { ObjectStore } from "@parfocal/store";
import { canonicalJson } from "./canonical-json.ts";
import { readJson } from "./json-object.ts";
import { type IndexEntry, type OperationRef, requestKey } from "./operation-keys.ts";
import type { Json } from "./workflow.ts";

/** What `request.json` holds; writing it is what creates an operation. */
export interface OperationRequest {
  readonly version: 1;
  readonly kind: string;
  readonly createTimeMs: number;
  readonly input: Json;
  readonly target?: string;
}

/** The operation that a request made, with what of it the keys do not carry. */
export function entryOfRequest(ref: OperationRef, { kind, createTimeMs, target }: OperationRequest): IndexEntry {
  return { project: ref.project, id: ref.id, kind, createTimeMs, ...(target === undefined ? {} : { target }) };
}

/** The text of `request.json`. @throws {DomainError} `INVALID_ARGUMENT` when the input is not JSON. */
export function encodeRequest(request: OperationRequest): string {
  return canonicalJson(request, "the request");
}

/** Reads the request of an operation; undefined when there is no such operation. @throws {DomainError} `CORRUPT`. */
export async function findRequest(store: ObjectStore, ref: OperationRef): Promise<OperationRequest | undefined> {
  const found = await readJson(store, requestKey(ref));
  return found === undefined ? undefined : parseRequest(found.value);
}

/** As {@link findRequest}. @throws {DomainError} `NOT_FOUND` too. */
export async function readRequest(store: ObjectStore, ref: OperationRef): Promise<OperationRequest> {
  const request = await findRequest(store, ref);
  if (request === undefined) throw new DomainError("NOT_FOUND", "the request of this operation is gone");
  return request;
}

/** @throws {DomainError} `CONFLICT` unless both requests ask for the same work. */
export function assertSameRequest(stored: OperationRequest, kind: string, input: Json): void {
  if (stored.kind !== kind) {
    throw new DomainError("CONFLICT", `this request id was used for a "${stored.kind}" operation, not for "${kind}"`);
  }
  if (canonicalJson(stored.input, "the input") !== canonicalJson(input, "the input")) {
    throw new DomainError("CONFLICT", `this request id was used for a "${kind}" operation with another input`);
  }
}

function parseRequest(value: unknown): OperationRequest {
  const { version, kind, createTimeMs, input, target } = (value ?? {}) as Partial<OperationRequest>;
  if (version !== 1 || typeof kind !== "string" || typeof createTimeMs !== "number" || input === undefined) {
    throw new DomainError("CORRUPT", "the stored request of an operation is not one of version 1");
  }
  return { version, kind, createTimeMs, input, ...(typeof target === "string" ? { target } : {}) };
}
