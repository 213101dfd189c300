import { assertNotAborted, DomainError } from "@parfocal/errors";
import { chunksOfBody, type PutBody } from "../body.ts";
import {
  assertCondition,
  assertPutOptions,
  encodePageToken,
  objectNotFound,
  pageSizeFromOptions,
  parsePageToken,
  versionChanged,
} from "../conditions.ts";
import { assertKey, assertPrefix, compareKeys } from "../key.ts";
import type { GetOptions, ListOptions, ListPage, ObjectInfo, ObjectStore, PutOptions } from "../object-store.ts";
import { resolveRange } from "../range.ts";

interface Entry {
  readonly info: ObjectInfo;
  readonly bytes: Uint8Array;
}

/** Streams hand out chunks of this size, so that tests meet more than one. */
const CHUNK_BYTES = 64 * 1024;

let nStores = 0;

/**
 * A store in this process's memory, for tests: same semantics as the other drivers, gone with the process. Bytes are
 * copied in and out. `presign` is `UNSUPPORTED_OPERATION`.
 */
export function createMemoryStore(): ObjectStore {
  const entries = new Map<string, Entry>();
  let version = 0;
  nStores += 1;

  const find = (key: string, signal: AbortSignal | undefined): Entry => {
    assertKey(key);
    assertNotAborted(signal);
    const entry = entries.get(key);
    if (entry === undefined) throw objectNotFound();
    return entry;
  };

  const read = (key: string, options: GetOptions): Entry => {
    const { info, bytes } = find(key, options.signal);
    if (options.ifMatch !== undefined && options.ifMatch !== info.etag)
      throw versionChanged(options.ifMatch, info.etag);
    const { start, end } = resolveRange(options.range, bytes.length);
    return { info, bytes: bytes.slice(start, end) };
  };

  const put = async (key: string, body: PutBody, options: PutOptions = {}) => {
    assertKey(key);
    assertPutOptions(options);
    assertNotAborted(options.signal);
    const bytes = await collect(body, options.signal);
    assertCondition(entries.get(key)?.info.etag, options);
    version += 1;
    const info = { key, sizeBytes: bytes.length, etag: `m${version}`, lastModifiedMs: Date.now() };
    entries.set(key, { info, bytes });
    return info;
  };

  return {
    rootUri: `memory://${nStores}`,
    get: async (key, options = {}) => {
      const { info, bytes } = read(key, options);
      return { ...info, bytes };
    },
    getStream: async (key, options = {}) => {
      const { info, bytes } = read(key, options);
      return { ...info, chunks: chunksOf(bytes, options.signal) };
    },
    put,
    head: async (key, options = {}) => find(key, options.signal).info,
    list: async (prefix, options = {}) => listPage([...entries.values()], prefix, options),
    delete: async (key, options = {}) => {
      assertKey(key);
      assertNotAborted(options.signal);
      entries.delete(key);
    },
    presign: async () => {
      throw new DomainError("UNSUPPORTED_OPERATION", "a store in memory has no URLs");
    },
    close: () => entries.clear(),
  };
}

function listPage(entries: readonly Entry[], prefix: string, options: ListOptions): ListPage {
  assertPrefix(prefix);
  assertNotAborted(options.signal);
  const pageSize = pageSizeFromOptions(options);
  const after = parsePageToken(options.pageToken);
  const rest = entries
    .map((entry) => entry.info)
    .filter(({ key }) => key.startsWith(prefix) && (after === undefined || compareKeys(key, after) > 0))
    .sort((a, b) => compareKeys(a.key, b.key));
  const objects = rest.slice(0, pageSize);
  const last = objects.at(-1);
  return rest.length > pageSize && last !== undefined
    ? { objects, nextPageToken: encodePageToken(last.key) }
    : { objects };
}

async function* chunksOf(bytes: Uint8Array, signal: AbortSignal | undefined): AsyncGenerator<Uint8Array> {
  for (let start = 0; start < bytes.length; start += CHUNK_BYTES) {
    assertNotAborted(signal);
    yield bytes.subarray(start, start + CHUNK_BYTES);
  }
}

async function collect(body: PutBody, signal: AbortSignal | undefined): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of chunksOfBody(body, signal)) chunks.push(new Uint8Array(chunk));
  return new Uint8Array(Buffer.concat(chunks));
}
