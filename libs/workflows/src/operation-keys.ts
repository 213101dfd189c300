import { createHash } from "node:crypto";
import { DomainError } from "@parfocal/errors";

/** Which operation. */
export interface OperationRef {
  readonly project: string;
  readonly id: string;
}

/** Where the ownership object lives. */
export const OWNER_KEY = "operations/.owner";
/** One empty object for each operation that is not done; the list of what to resume. */
export const OPEN_PREFIX = "operations/.open/";
/** One empty object for each operation, its facts in the key, so that a listing reads no objects. */
export const INDEX_PREFIX = "operations/.index/";

/** Largest time that {@link indexKey} can order: the year 2286. */
const MAX_TIME_MS = 9_999_999_999_999;
const NAME = /^projects\/([^/]+)\/operations\/([A-Za-z0-9_-]+)$/;
/**
 * What the names of the contract allow, and more. Its first character sets it apart from the keys above, and it has no slash: a key
 * is of one project only.
 */
const PROJECT = /^[A-Za-z0-9](?:[A-Za-z0-9_-]|\.(?=[A-Za-z0-9_-])){0,62}$/;
const KIND = /^[A-Za-z][A-Za-z0-9_-]{0,62}$/;
const ID = /^[0-9a-f]{32}$/;
const INDEX_ENTRY = /^([^/]+)\/(\d{13})\.([0-9a-f]{32})\.([^/.]+)$/;

/** `projects/{project}/operations/{id}`. */
export function operationName(ref: OperationRef): string {
  return `projects/${ref.project}/operations/${ref.id}`;
}

/**
 * The operation that `name` names.
 *
 * @throws {DomainError} `INVALID_ARGUMENT` when it is no such name; `NOT_FOUND` for an id that no operation can have.
 */
export function parseOperationName(name: string): OperationRef {
  const [, project, id] = NAME.exec(name) ?? [];
  if (project === undefined || id === undefined || !PROJECT.test(project)) {
    const message = `name of ${name.length} characters is not projects/{project}/operations/{id}`;
    throw new DomainError("INVALID_ARGUMENT", message, { details: { field: "name" } });
  }
  if (!ID.test(id)) throw new DomainError("NOT_FOUND", "there is no such operation");
  return { project, id };
}

/** @throws {DomainError} `INVALID_ARGUMENT` unless `project` is 1 to 63 letters, digits, `_`, `-` or single dots between them. */
export function assertProject(project: string): void {
  if (PROJECT.test(project)) return;
  const allowed = "1 to 63 letters, digits, _, - or single dots between them";
  throw new DomainError("INVALID_ARGUMENT", `project "${project.slice(0, 80)}" is not ${allowed}`);
}

/** @throws {DomainError} `INVALID_ARGUMENT` unless `kind` is a letter and then up to 62 letters, digits, `_` or `-`. */
export function assertKind(kind: string): void {
  if (KIND.test(kind)) return;
  throw new DomainError(
    "INVALID_ARGUMENT",
    `workflow kind "${kind.slice(0, 80)}" is not a letter, then letters, digits, _ or -`,
  );
}

/** The id that a client's request id always leads to within one project. */
export function idFromRequestId(project: string, requestId: string): string {
  return createHash("sha256").update(`${project}\0${requestId}`).digest("hex").slice(0, 32);
}

/** Everything of one operation begins with this, its temporary objects (`tmp/`) included. */
export function operationPrefix(ref: OperationRef): string {
  return `operations/${ref.project}/${ref.id}/`;
}

/** The request, written once. */
export function requestKey(ref: OperationRef): string {
  return `${operationPrefix(ref)}request.json`;
}

/** State, changed by compare-and-swap. */
export function stateKey(ref: OperationRef): string {
  return `${operationPrefix(ref)}state.json`;
}

/** The done state, written once; only the Temporal driver, whose states have several writers, keeps it apart. */
export function outcomeKey(ref: OperationRef): string {
  return `${operationPrefix(ref)}outcome.json`;
}

/** Which owner wrote something. */
export interface OwnerId {
  readonly epoch: number;
  /** Random: keeps owners apart where an epoch comes twice, as after the ownership object was deleted by hand. */
  readonly nonce: string;
}

/** Journal of one owner. */
export function journalPrefix(ref: OperationRef, owner: OwnerId): string {
  return `${operationPrefix(ref)}steps/${owner.epoch}-${owner.nonce.slice(0, 8)}/`;
}

/** Marker of an operation that is not done. */
export function openKey(ref: OperationRef): string {
  return `${OPEN_PREFIX}${ref.project}/${ref.id}`;
}

/** An operation as {@link indexKey} carries it, and its target where its request was read. */
export interface IndexEntry extends OperationRef {
  readonly kind: string;
  readonly createTimeMs: number;
  readonly target?: string;
}

/** Orders the operations of a project newest first, ties by id. */
export function sortKey(entry: IndexEntry): string {
  const time = Math.min(MAX_TIME_MS, Math.max(0, entry.createTimeMs));
  return `${String(MAX_TIME_MS - time).padStart(13, "0")}.${entry.id}`;
}

/** Key of the index object of an operation. */
export function indexKey(entry: IndexEntry): string {
  return `${INDEX_PREFIX}${entry.project}/${sortKey(entry)}.${entry.kind}`;
}

/** Inverse of {@link indexKey}; undefined for a key that is none. */
export function parseIndexKey(key: string): IndexEntry | undefined {
  const [, project, inverted, id, kind] = INDEX_ENTRY.exec(key.slice(INDEX_PREFIX.length)) ?? [];
  if (project === undefined || inverted === undefined || id === undefined || kind === undefined) return undefined;
  return { project, id, kind, createTimeMs: MAX_TIME_MS - Number(inverted) };
}

/** Inverse of {@link openKey}; undefined for a key that is none. */
export function parseOpenKey(key: string): OperationRef | undefined {
  const [project, id] = key.slice(OPEN_PREFIX.length).split("/");
  return project !== undefined && id !== undefined && ID.test(id) ? { project, id } : undefined;
}
