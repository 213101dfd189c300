import { execFile, spawnSync } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { WARM_UP_MS } from "./arrivals.ts";
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

/** A call as h2load logged it: when it began and how long it took, µs, and the status of HTTP. */
type LoggedCall = readonly [startUs: number, status: number, tookUs: number];

/** Calls of a caller running at once that calls begun on time never come to: with more a server is over its load. */
const OPEN_LOOP_CONCURRENCY = 100;

/** Callers that share calls begun on time: the pauses of one are then long beside how late its timers are. */
const N_CALLERS = 4;

/** By how much h2load lengthens a pause, on average, ms: its timers count whole milliseconds, upwards. */
const LATE_MS = 0.5;

/** Whether h2load is installed. */
export function hasH2load(): boolean {
  return spawnSync("h2load", ["--version"]).status === 0;
}

/**
 * Keeps `concurrency` calls running for `seconds` with h2load, nghttp2's load generator, on one connection: compiled, it takes little
 * of the processors and collects no garbage, so that what is timed are the servers.
 *
 * @throws When it is not installed or cannot connect, and when calls failed: more than a tenth of the bytes of their answers lack.
 */
export async function keepRunning(call: WireCall, concurrency: number, seconds: number): Promise<CallerResult> {
  const times = [`--warm-up-time=${WARM_UP_MS / 1000}`, `--duration=${seconds}`];
  return resultOf(await logOf(call, () => [`-m${concurrency}`, ...times, urlOf(call)]));
}

/**
 * Begins calls at the moments `arrivalsMs`, to half a millisecond or so, whether earlier ones have ended or not, by turns on
 * {@link N_CALLERS} connections; those of the warm-up are not counted. Scripts tell h2load when: by its own pace (`--rps`) it begins
 * what is due every 10 ms, several calls at once.
 *
 * @throws As {@link keepRunning}.
 */
export async function beginAt(call: WireCall, arrivalsMs: readonly number[]): Promise<CallerResult> {
  const shares = Array.from({ length: N_CALLERS }, (_, caller) =>
    arrivalsMs.filter((_, index) => index % N_CALLERS === caller),
  );
  const calls = (await Promise.all(shares.map((share) => beginShareAt(call, share)))).flat();
  const countFromUs = firstOf(calls) + 1000 * WARM_UP_MS;
  return resultOf(calls.filter(([startUs]) => startUs >= countFromUs));
}

/** The calls of one connection. */
function beginShareAt(call: WireCall, arrivalsMs: readonly number[]): Promise<readonly LoggedCall[]> {
  // The pauses are what counts in a script; each is shortened by what h2load lengthens it.
  const script = arrivalsMs.map((atMs, index) => `${(atMs - LATE_MS * index).toFixed(3)}\t${urlOf(call)}\n`).join("");
  return logOf(call, async (folder) => {
    const file = join(folder, "script");
    await writeFile(file, script);
    return [`-m${OPEN_LOOP_CONCURRENCY}`, `-n${arrivalsMs.length}`, `--timing-script-file=${file}`];
  });
}

/** Runs h2load with `paceIn(folder)`, where `folder` is one of its own; gives what it logged. */
async function logOf(
  call: WireCall,
  paceIn: (folder: string) => string[] | Promise<string[]>,
): Promise<readonly LoggedCall[]> {
  const folder = await mkdtemp(join(tmpdir(), "parfocal-h2load-"));
  try {
    const [body, log] = [join(folder, "body"), join(folder, "log")];
    await writeFile(body, frame(call.message));
    const headers = ["content-type: application/grpc", "te: trailers", "grpc-timeout: 30S"].flatMap((h) => ["-H", h]);
    const pace = await paceIn(folder);
    const { stdout } = await run("h2load", ["-c1", "-t1", ...headers, "-d", body, `--log-file=${log}`, ...pace]);
    checkAnswers(stdout, call.nAnswerBytes);
    return parseLog(await readFile(log, "utf8"));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function urlOf({ address, path }: WireCall): string {
  return `http://${address}${path}`;
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

function parseLog(text: string): readonly LoggedCall[] {
  const calls = text
    .split("\n")
    .filter(Boolean)
    .map((line) => line.split("\t").map(Number) as unknown as LoggedCall);
  if (calls.length === 0) throw new Error("h2load logged no call");
  return calls;
}

/** When the first of `calls` began, µs. */
function firstOf(calls: readonly LoggedCall[]): number {
  return calls.reduce((first, [startUs]) => Math.min(first, startUs), Number.POSITIVE_INFINITY);
}

function resultOf(calls: readonly LoggedCall[]): CallerResult {
  const lastUs = calls.reduce((last, [startUs, , tookUs]) => Math.max(last, startUs + tookUs), 0);
  return {
    latenciesMs: calls.map(([, , tookUs]) => tookUs / 1000),
    nFailed: calls.filter(([, status]) => status !== 200).length,
    callsPerS: (1e6 * calls.length) / (lastUs - firstOf(calls)),
  };
}
