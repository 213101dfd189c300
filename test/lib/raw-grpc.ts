/**
 * @file gRPC by hand over HTTP/2, for what no decent client sends.
 */
import { readFile } from "node:fs/promises";
import { type ClientHttp2Session, connect, type IncomingHttpHeaders } from "node:http2";

/** How a call ended. */
export interface RawAnswer {
  readonly httpStatus: number | undefined;
  /** gRPC's code; `undefined` when the stream ended without one. */
  readonly code: number | undefined;
  readonly message: string;
  /** HTTP/2's code of a stream that was reset, else 0. */
  readonly reset: number;
}

/** What is sent. */
export interface RawCall {
  readonly path: string;
  /** The body as it is, prefix included. */
  readonly body?: Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
  /** Whether the request ends after the body; default true. */
  readonly ends?: boolean;
}

/**
 * A connection that outlives errors of its streams. `settings`: HTTP/2's, e.g. `initialWindowSize`; `ca`: the authority of
 * the server, PEM, for one that encrypts.
 */
export async function openSession(address: string, settings: object = {}, ca?: string): Promise<ClientHttp2Session> {
  const session = connect(`${ca === undefined ? "http" : "https"}://${address}`, { settings, ...(ca && { ca }) });
  session.on("error", () => undefined);
  await new Promise<void>((resolve) => session.once("connect", () => resolve()));
  return session;
}

/** Makes a call and waits for its end. */
export function rawCall(
  session: ClientHttp2Session,
  { path, body, headers, ends = true }: RawCall,
): Promise<RawAnswer> {
  const stream = session.request({
    ":method": "POST",
    ":path": `/${path}`,
    "content-type": "application/grpc",
    te: "trailers",
    ...headers,
  });
  let seen: IncomingHttpHeaders = {};
  stream.on("response", (received: IncomingHttpHeaders) => {
    seen = { ...received };
  });
  stream.on("trailers", (received: IncomingHttpHeaders) => {
    seen = { ...seen, ...received };
  });
  stream.on("error", () => undefined);
  stream.resume();
  if (body !== undefined) stream.write(body);
  if (ends) stream.end();
  return new Promise((resolve) => {
    stream.once("close", () => {
      const status = seen["grpc-status"];
      resolve({
        httpStatus: seen[":status"] === undefined ? undefined : Number(seen[":status"]),
        code: status === undefined ? undefined : Number(status),
        message: decodeURIComponent(String(seen["grpc-message"] ?? "")),
        reset: stream.rstCode,
      });
    });
  });
}

/** A gRPC message: its prefix, which says whether it is compressed and how long it is, and its bytes. */
export function framed(bytes: Uint8Array, { isCompressed = false, length = bytes.length } = {}): Buffer {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt8(isCompressed ? 1 : 0, 0);
  prefix.writeUInt32BE(length, 1);
  return Buffer.concat([prefix, bytes]);
}

/** Resident memory of a process, bytes. Linux only. */
export async function residentBytesOf(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  return 1024 * Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]);
}
