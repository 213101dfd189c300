/**
 * @file A proxy in front of an S3 server that fails as it is told. It knows HTTP and S3's error bodies, nothing of keys and signatures:
 * requests pass with the headers they came with, so any server that does not look at its own name can stand behind it.
 */
import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

/** What can go wrong with one request. */
export type ProxyFault =
  /** The server is not asked, and this is the answer. */
  | { readonly kind: "status"; readonly status: number; readonly name: string }
  /** The connection breaks; `isApplied`: after the server did what it was asked. */
  | { readonly kind: "reset"; readonly isApplied: boolean }
  /** Everything is right, later. */
  | { readonly kind: "slow"; readonly ms: number }
  /** The answer is announced whole and ends half way. */
  | { readonly kind: "truncate" }
  /** One bit of the answer's body is another one. */
  | { readonly kind: "flip" }
  /** One bit of the request's body is another one. */
  | { readonly kind: "flip-request" };

/** A request as the proxy sees it. */
export interface ProxiedRequest {
  readonly method: string;
  /** Path and query. */
  readonly url: string;
  /** Whether it is a write with a condition. */
  readonly isConditional: boolean;
}

/** Decides what happens to a request; nothing where it gives `undefined`. */
export type FaultPlan = (request: ProxiedRequest) => ProxyFault | undefined;

/** A proxy that listens on the loopback. */
export interface FaultProxy {
  readonly endpoint: string;
  /** From now on, faults happen by this plan; without one, none. */
  setPlan(plan?: FaultPlan): void;
  /** Faults so far, by kind or status. */
  readonly injected: ReadonlyMap<string, number>;
  stop(): Promise<void>;
}

/** Starts a proxy in front of `upstream` (`http://host:port`) on a free port. */
export async function startFaultProxy(upstream: string): Promise<FaultProxy> {
  const injected = new Map<string, number>();
  let plan: FaultPlan = () => undefined;
  const server = createServer((request, response) => {
    const { method = "", url = "", headers } = request;
    const isConditional = headers["if-match"] !== undefined || headers["if-none-match"] !== undefined;
    const fault = plan({ method, url, isConditional: isConditional && method !== "GET" && method !== "HEAD" });
    if (fault !== undefined) {
      const name = fault.kind === "status" ? fault.name : fault.kind;
      injected.set(name, (injected.get(name) ?? 0) + 1);
    }
    // A peer that breaks off is one of the faults under test, on either side.
    serve(upstream, request, response, fault).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    setPlan: (next = () => undefined) => (plan = next),
    injected,
    stop: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function serve(
  upstream: string,
  request: IncomingMessage,
  response: ServerResponse,
  fault: ProxyFault | undefined,
): Promise<void> {
  const body = await readAll(request);
  if (fault?.kind === "status") return refuse(request, response, fault);
  if (fault?.kind === "reset" && !fault.isApplied) return void response.destroy();
  if (fault?.kind === "slow") await sleep(fault.ms);
  const answer = await ask(upstream, request, fault?.kind === "flip-request" ? flipped(body) : body);
  if (fault?.kind === "reset") return void response.destroy();
  response.writeHead(answer.status, answer.headers);
  if (fault?.kind === "truncate" && answer.body.length > 0) {
    response.write(answer.body.subarray(0, answer.body.length >> 1), () => response.destroy());
  } else {
    response.end(fault?.kind === "flip" ? flipped(answer.body) : answer.body);
  }
}

function refuse(
  { method }: IncomingMessage,
  response: ServerResponse,
  { status, name }: { status: number; name: string },
) {
  const body = `<?xml version="1.0"?><Error><Code>${name}</Code><Message>injected</Message></Error>`;
  response.writeHead(status, { "content-type": "application/xml", "content-length": Buffer.byteLength(body) });
  response.end(method === "HEAD" ? undefined : body);
}

interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  readonly body: Buffer;
}

function ask(upstream: string, { method, url, headers }: IncomingMessage, body: Buffer): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asked = httpRequest(
      new URL(url ?? "/", upstream),
      { method, headers, setHost: false, agent: false },
      (answer) => {
        readAll(answer).then(
          (bytes) => resolve({ status: answer.statusCode ?? 502, headers: headersOf(answer), body: bytes }),
          reject,
        );
      },
    );
    asked.on("error", reject);
    asked.end(body);
  });
}

/** The body is sent in one piece, whatever its pieces were; a HEAD keeps the length that it tells. */
function headersOf({ headers }: IncomingMessage): IncomingMessage["headers"] {
  const { "transfer-encoding": _, connection: __, ...kept } = headers;
  return kept;
}

function flipped(bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes);
  if (copy.length > 0) copy[copy.length >> 1]! ^= 1;
  return copy;
}

async function readAll(message: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
