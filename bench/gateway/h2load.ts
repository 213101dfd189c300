import { execFile, spawnSync } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import type { CallerResult } from "./caller.ts";

const run = promisify(execFile);

/** A unary gRPC method somewhere, what it is called with and what it answers. */
export interface WireCall {
  /** host:port, without TLS. */
  readonly address: string;
  /** `/package.Service/Method`. */
  readonly path: string;
  /** The encoded request. */
  readonly message: Uint8Array;
  /** Bytes of an encoded answer: an error has none, which is how one is told. */
  readonly nAnswerBytes: number;
}

interface H2loadOptions {
  readonly seconds: number;
  /** Calls running at once, when they are not begun on time. */
  readonly concurrency: number;
  readonly ratePerS?: number;
}

/** Calls running at once that calls begun on time never come to: with more a server is over its load. */
const OPEN_LOOP_CONCURRENCY = 100;

/** Before calls count, s. */
const WARM_UP_S = 1;

/** Whether h2load is installed. */
export function hasH2load(): boolean {
  return spawnSync("h2load", ["--version"]).status === 0;
}

/**
 * Calls with h2load, nghttp2's load generator, on one connection: compiled, it takes little of the processors and collects no
 * garbage, so that what is timed are the servers.
 *
 * @throws When it is not installed or cannot connect, and when calls failed: more than a tenth of the bytes of their answers lack.
 */
export async function callWithH2load(call: WireCall, options: H2loadOptions): Promise<CallerResult> {
  const folder = await mkdtemp(join(tmpdir(), "parfocal-h2load-"));
  try {
    const [body, log] = [join(folder, "body"), join(folder, "log")];
    await writeFile(body, frame(call.message));
    const { stdout } = await run("h2load", argumentsOf(call, options, body, log));
    checkAnswers(stdout, call.nAnswerBytes);
    return parseLog(await readFile(log, "utf8"));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function argumentsOf({ address, path }: WireCall, options: H2loadOptions, body: string, log: string): string[] {
  const { seconds, concurrency, ratePerS } = options;
  const pace =
    ratePerS === undefined ? [`-m${concurrency}`] : [`-m${OPEN_LOOP_CONCURRENCY}`, `--rps=${Math.round(ratePerS)}`];
  const headers = ["content-type: application/grpc", "te: trailers", "grpc-timeout: 30S"].flatMap((h) => ["-H", h]);
  const duration = [`--warm-up-time=${WARM_UP_S}`, `--duration=${seconds}`];
  return ["-c1", "-t1", ...pace, ...duration, ...headers, "-d", body, `--log-file=${log}`, `http://${address}${path}`];
}

/** A message as it goes over the wire: not compressed, its length, itself. */
function frame(message: Uint8Array): Uint8Array {
  const framed = new Uint8Array(5 + message.length);
  new DataView(framed.buffer).setUint32(1, message.length);
  framed.set(message, 5);
  return framed;
}

/** h2load knows the status of HTTP, which a failed gRPC call has too; but such a call carries no message. */
function checkAnswers(stdout: string, nAnswerBytes: number): void {
  const nCalls = Number(/requests: \d+ total, \d+ started, (\d+) done/.exec(stdout)?.[1]);
  const nBytes = Number(/\((\d+)\) data/.exec(stdout)?.[1]);
  if (!(nBytes >= 0.9 * nCalls * nAnswerBytes))
    throw new Error(`${nCalls} calls brought ${nBytes} bytes, where an answer has ${nAnswerBytes}: many failed`);
}

/** Lines of: start in µs since the epoch, status of HTTP, µs that it took. */
function parseLog(text: string): CallerResult {
  const calls = text
    .split("\n")
    .filter(Boolean)
    .map((line) => line.split("\t").map(Number) as [number, number, number]);
  if (calls.length === 0) throw new Error("h2load logged no call");
  const firstUs = calls.reduce((first, [startUs]) => Math.min(first, startUs), Number.POSITIVE_INFINITY);
  const lastUs = calls.reduce((last, [startUs, , tookUs]) => Math.max(last, startUs + tookUs), 0);
  return {
    latenciesMs: calls.map(([, , tookUs]) => tookUs / 1000),
    nFailed: calls.filter(([, status]) => status !== 200).length,
    callsPerS: (1e6 * calls.length) / (lastUs - firstUs),
  };
}
