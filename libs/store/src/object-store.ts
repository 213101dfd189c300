/** A byte range of an object, half open: `start <= byte < end`. Bounds are checked against the object's size. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/** What a store knows of an object without reading it. */
export interface ObjectInfo {
  readonly key: string;
  /** Bytes of the whole object. */
  readonly sizeBytes: number;
  /** Opaque version tag: equal tags mean equal bytes. Never a digest. Empty in listings of a server that gives none there. */
  readonly etag: string;
  /** 0 where the server gave none. */
  readonly lastModifiedMs: number;
}

/** Options of every call that may wait. */
export interface CallOptions {
  /** Ends the call with `CANCELLED` (or `DEADLINE_EXCEEDED` when the reason is a timeout). */
  readonly signal?: AbortSignal;
}

/** Options of a read. */
export interface GetOptions extends CallOptions {
  /** Only these bytes. A range beyond the end of the object is `INVALID_ARGUMENT` naming range and size. */
  readonly range?: ByteRange;
  /** Fails with `PRECONDITION_FAILED` when the object's tag is another one: an overwrite between ranges is noticed. */
  readonly ifMatch?: string;
  /**
   * Memory for what is read, as long as the range. A driver that can read into it does, and then the bytes or chunks that it
   * gives are views of it, each in its place; others give memory of their own.
   */
  readonly into?: Uint8Array;
}

/** Options of a write. At most one condition. */
export interface PutOptions extends CallOptions {
  /** `"*"`: create, never replace. Losing the race is `PRECONDITION_FAILED`. */
  readonly ifNoneMatch?: "*";
  /** Replace exactly this version. */
  readonly ifMatch?: string;
  readonly contentType?: string;
}

/** Bytes of an object (or of a range of it) with what the store knows of the whole. */
export interface ObjectBytes extends ObjectInfo {
  readonly bytes: Uint8Array;
}

/** An object (or a range of it) as a stream. `chunks` must be read to its end or returned early. */
export interface ObjectStream extends ObjectInfo {
  readonly chunks: AsyncIterable<Uint8Array>;
}

/** One page of a listing, in ascending order of keys (by UTF-8 bytes). */
export interface ListPage {
  readonly objects: readonly ObjectInfo[];
  /** Give it back to continue; absent on the last page. */
  readonly nextPageToken?: string;
}

/** Options of a listing. */
export interface ListOptions extends CallOptions {
  /** 1 to 1000; default 1000. */
  readonly pageSize?: number;
  readonly pageToken?: string;
}

/**
 * The port to object storage: keys are `/`-separated UTF-8 names under one root (`s3://bucket/prefix` or
 * `file:///folder`), values are bytes. Everything durable in Parfocal is an object behind it.
 *
 * Failures are `DomainError`s: `NOT_FOUND`, `FORBIDDEN`, `THROTTLED` (after the retries), `PRECONDITION_FAILED`,
 * `UNREACHABLE`, `CORRUPT`, `TRUNCATED`, `INVALID_ARGUMENT` (keys with `..`, empty parts, control characters).
 */
export interface ObjectStore {
  /** The root, e.g. `s3://bucket/prefix` or `file:///folder`, without a trailing slash and without credentials. */
  readonly rootUri: string;
  /** Reads an object, or a range of it, into memory. */
  get(key: string, options?: GetOptions): Promise<ObjectBytes>;
  /** Reads an object, or a range of it, as chunks; a body cut short is `TRUNCATED`, never a quiet end. */
  getStream(key: string, options?: GetOptions): Promise<ObjectStream>;
  /**
   * Writes an object atomically: readers see the old bytes or the new, never a mixture. A stream is uploaded in parts;
   * when it fails half-way the parts are aborted and nothing is left.
   */
  put(key: string, body: Uint8Array | AsyncIterable<Uint8Array>, options?: PutOptions): Promise<ObjectInfo>;
  /** What the store knows of the object; `NOT_FOUND` when there is none. */
  head(key: string, options?: CallOptions): Promise<ObjectInfo>;
  /** One page of the objects whose keys begin with `prefix` (plain string prefix, `/` has no special meaning). */
  list(prefix: string, options?: ListOptions): Promise<ListPage>;
  /** Deletes the object; deleting what is not there succeeds. */
  delete(key: string, options?: CallOptions): Promise<void>;
  /** A URL that reads (`GET`) or writes (`PUT`) the object without credentials for `expiresInS` seconds. */
  presign(key: string, method: "GET" | "PUT", expiresInS: number): Promise<string>;
  /** Frees sockets. The store is unusable afterwards. */
  close(): void;
}
