import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { StoreOptions } from "@parfocal/store";

/** What can go wrong with one request. */
export type Fault =
  | { readonly kind: "status"; readonly status: number; readonly name: string; readonly retryAfterS?: number }
  /** The connection breaks before an answer; `isApplied`: after the server did what it was asked. */
  | { readonly kind: "reset"; readonly isApplied: boolean }
  /** The answer is announced whole and ends after so many bytes. */
  | { readonly kind: "truncate"; readonly afterBytes: number }
  /** Nothing is answered (`afterBytes` absent) or nothing more after so many bytes. */
  | { readonly kind: "stall"; readonly afterBytes?: number }
  /** One byte of the answer is changed. */
  | { readonly kind: "flip" }
  /** The answer comes so late. */
  | { readonly kind: "delay"; readonly ms: number }
  /** The server has ways of its own: it looks at no such headers of the request, and answers otherwise. */
  | { readonly kind: "odd"; readonly ignores?: readonly string[]; readonly change?: (answer: Answer) => Answer };

/** A request as the server saw it. */
export interface SeenRequest {
  readonly method: string;
  /** Path and query. */
  readonly url: string;
  readonly headers: IncomingMessage["headers"];
}

/** An object, and what its write said of it. */
interface StoredObject {
  readonly bytes: Buffer;
  readonly writeId: string | undefined;
  readonly sha256?: string | undefined;
}

/** A server that speaks enough of S3 for one object and fails as it is told. */
export interface FaultServer {
  readonly storeOptions: StoreOptions;
  readonly seen: SeenRequest[];
  /** Faults for the next requests that `matches`, one each, in order. */
  fail(matches: (request: SeenRequest) => boolean, ...faults: readonly Fault[]): void;
  readonly objects: Map<string, StoredObject>;
  readonly uploads: Map<string, Map<number, Buffer>>;
  stop(): Promise<void>;
}

/** Starts the server on a free port of the loopback. */
export async function startFaultServer(): Promise<FaultServer> {
  const seen: SeenRequest[] = [];
  const plans: { matches: (request: SeenRequest) => boolean; faults: Fault[] }[] = [];
  const state: State = { objects: new Map(), uploads: new Map(), writeIds: new Map(), nUploads: 0 };
  const server = createServer((request, response) => {
    void readAll(request).then((body) => {
      const { method = "", url = "", headers } = request;
      const sight = { method, url, headers };
      seen.push(sight);
      const fault = plans.find((plan) => plan.faults.length > 0 && plan.matches(sight))?.faults.shift();
      answer(state, sight, body, response, fault);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    storeOptions: {
      endpoint: `http://127.0.0.1:${port}`,
      credentials: { accessKeyId: "fault", secretAccessKey: "fault-secret" },
      retryBaseMs: 1,
      maxAttempts: 4,
      partSizeBytes: 5 * 1024 * 1024,
      idleTimeoutMs: 30_000,
    },
    seen,
    fail: (matches, ...faults) => plans.push({ matches, faults: [...faults] }),
    objects: state.objects,
    uploads: state.uploads,
    stop: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

interface State {
  readonly objects: FaultServer["objects"];
  readonly uploads: FaultServer["uploads"];
  readonly writeIds: Map<string, string | undefined>;
  nUploads: number;
}

/** What the server answers. */
export interface Answer {
  readonly status: number;
  /** Those that are `undefined` are left out, also the length of the body. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: Buffer;
}

function answer(state: State, request: SeenRequest, body: Buffer, response: ServerResponse, fault?: Fault): void {
  if (fault?.kind === "status") {
    const headers = fault.retryAfterS === undefined ? {} : { "retry-after": String(fault.retryAfterS) };
    send(request, response, errorAnswer(fault.status, fault.name, headers), undefined);
    return;
  }
  if (fault?.kind === "reset" && !fault.isApplied) {
    response.destroy();
    return;
  }
  if (fault?.kind === "delay") {
    setTimeout(() => send(request, response, perform(state, request, body)), fault.ms);
    return;
  }
  const ignored = fault?.kind === "odd" ? (fault.ignores ?? []) : [];
  const heard = Object.fromEntries(Object.entries(request.headers).filter(([name]) => !ignored.includes(name)));
  const answered = perform(state, { ...request, headers: heard }, body);
  send(request, response, fault?.kind === "odd" ? (fault.change?.(answered) ?? answered) : answered, fault);
}

function send(request: SeenRequest, response: ServerResponse, { status, headers, body }: Answer, fault?: Fault): void {
  if (fault?.kind === "reset") response.destroy();
  if (fault?.kind === "reset" || (fault?.kind === "stall" && fault.afterBytes === undefined)) return;
  const all = { "content-length": String(body.length), ...headers };
  response.writeHead(status, Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)));
  if (request.method === "HEAD") {
    response.end();
  } else if (fault?.kind === "truncate" || fault?.kind === "stall") {
    const isCut = fault.kind === "truncate";
    response.write(body.subarray(0, fault.afterBytes), () => (isCut ? response.destroy() : undefined));
  } else {
    response.end(fault?.kind === "flip" ? flipped(body) : body);
  }
}

function perform(state: State, { method, url, headers }: SeenRequest, body: Buffer): Answer {
  const { pathname: path, searchParams: query } = new URL(url, "http://localhost");
  const uploadId = query.get("uploadId") ?? undefined;
  const writeId = header(headers["x-amz-meta-parfocal-write"]);
  if (method === "POST" && uploadId === undefined) return createUpload(state, writeId);
  if (method === "POST") return completeUpload(state, path, uploadId ?? "", headers);
  if (method === "PUT" && uploadId !== undefined)
    return putPart(state, uploadId, Number(query.get("partNumber")), body);
  if (method === "PUT") return putObject(state, path, body, writeId, headers);
  if (method === "DELETE" && uploadId !== undefined) state.uploads.delete(uploadId);
  else if (method === "DELETE") state.objects.delete(path);
  if (method === "DELETE") return { status: 204, headers: {}, body: Buffer.alloc(0) };
  return query.has("list-type") ? listObjects(state, path, query) : getObject(state, path, headers);
}

function createUpload(state: State, writeId: string | undefined): Answer {
  state.nUploads += 1;
  const id = `upload-${state.nUploads}`;
  state.uploads.set(id, new Map());
  state.writeIds.set(id, writeId);
  return xmlAnswer(`<InitiateMultipartUploadResult><UploadId>${id}</UploadId></InitiateMultipartUploadResult>`);
}

function putPart(state: State, uploadId: string, partNumber: number, body: Buffer): Answer {
  state.uploads.get(uploadId)?.set(partNumber, body);
  return { status: 200, headers: { etag: tagOf(body) }, body: Buffer.alloc(0) };
}

function completeUpload(state: State, path: string, uploadId: string, headers: SeenRequest["headers"]): Answer {
  const upload = state.uploads.get(uploadId);
  if (upload === undefined) return errorAnswer(404, "NoSuchUpload");
  const parts = [...upload].sort(([a], [b]) => a - b).map(([, bytes]) => bytes);
  const answered = putObject(state, path, Buffer.concat(parts), state.writeIds.get(uploadId), headers);
  if (answered.status !== 200) return answered;
  state.uploads.delete(uploadId);
  const tag = answered.headers.etag ?? "";
  return xmlAnswer(`<CompleteMultipartUploadResult><ETag>${tag}</ETag></CompleteMultipartUploadResult>`);
}

function putObject(
  { objects }: State,
  path: string,
  bytes: Buffer,
  writeId: string | undefined,
  headers: SeenRequest["headers"],
): Answer {
  const current = objects.get(path);
  const ifMatch = headers["if-match"];
  if (headers["if-none-match"] === "*" && current !== undefined) return errorAnswer(412, "PreconditionFailed");
  if (ifMatch !== undefined && current === undefined) return errorAnswer(404, "NoSuchKey");
  if (ifMatch !== undefined && current !== undefined && tagOf(current.bytes) !== ifMatch) {
    return errorAnswer(412, "PreconditionFailed");
  }
  objects.set(path, { bytes, writeId, sha256: header(headers["x-amz-meta-parfocal-sha256"]) });
  return { status: 200, headers: { etag: tagOf(bytes) }, body: Buffer.alloc(0) };
}

function getObject({ objects }: State, path: string, headers: SeenRequest["headers"]): Answer {
  const object = objects.get(path);
  if (object === undefined) return errorAnswer(404, "NoSuchKey");
  const { bytes, writeId, sha256 } = object;
  const common = {
    etag: tagOf(bytes),
    "last-modified": "Sat, 21 Nov 2026 00:00:00 GMT",
    "x-amz-checksum-crc32": "AAAAAA==",
    ...(writeId === undefined ? {} : { "x-amz-meta-parfocal-write": writeId }),
    ...(sha256 === undefined ? {} : { "x-amz-meta-parfocal-sha256": sha256 }),
  };
  if (headers["if-match"] !== undefined && headers["if-match"] !== common.etag) {
    return errorAnswer(412, "PreconditionFailed");
  }
  const range = /^bytes=(\d+)-(\d+)$/.exec(headers.range ?? "");
  if (range === null) return { status: 200, headers: common, body: bytes };
  const [start = 0, last = 0] = range.slice(1).map(Number);
  const contentRange = `bytes ${start}-${Math.min(last, bytes.length - 1)}/${bytes.length}`;
  return { status: 206, headers: { ...common, "content-range": contentRange }, body: bytes.subarray(start, last + 1) };
}

/** One page of the keys of a bucket below a prefix, in order; the token is the last key. */
function listObjects({ objects }: State, path: string, query: URLSearchParams): Answer {
  const bucket = `/${path.split("/")[1] ?? ""}/`;
  const [prefix, after] = ["prefix", "continuation-token"].map((name) => query.get(name) ?? "") as [string, string];
  const all = [...objects.keys()].flatMap((at) => (at.startsWith(bucket + prefix) ? [at.slice(bucket.length)] : []));
  const keys = all.filter((key) => key > after).sort();
  const page = keys.slice(0, Number(query.get("max-keys") ?? 1000));
  const entries = page.map((key) => {
    const bytes = objects.get(bucket + key)?.bytes ?? Buffer.alloc(0);
    return `<Contents><Key>${key}</Key><Size>${bytes.length}</Size><ETag>${tagOf(bytes)}</ETag><LastModified>2026-11-21T00:00:00.000Z</LastModified></Contents>`;
  });
  const isTruncated = page.length < keys.length;
  const next = isTruncated ? `<NextContinuationToken>${page.at(-1)}</NextContinuationToken>` : "";
  return xmlAnswer(
    `<ListBucketResult><IsTruncated>${isTruncated}</IsTruncated>${next}${entries.join("")}</ListBucketResult>`,
  );
}

function errorAnswer(status: number, name: string, headers: Record<string, string> = {}): Answer {
  const body = Buffer.from(`<?xml version="1.0"?><Error><Code>${name}</Code><Message>m</Message></Error>`);
  return { status, headers: { ...headers, "content-type": "application/xml" }, body };
}

function xmlAnswer(xml: string): Answer {
  const headers = { "content-type": "application/xml" };
  return { status: 200, headers, body: Buffer.from(`<?xml version="1.0"?>${xml}`) };
}

function tagOf(bytes: Uint8Array): string {
  return `"${createHash("md5").update(bytes).digest("hex")}"`;
}

function flipped(bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes);
  copy[copy.length >> 1] = (copy[copy.length >> 1] ?? 0) ^ 1;
  return copy;
}

function header(value: string | string[] | undefined): string | undefined {
  return typeof value === "string" ? value : undefined;
}

async function readAll(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
