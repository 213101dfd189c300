import { beginAt, hasH2load, keepRunning, type WireCall } from "./h2load.ts";
import { closedLoop, openLoop } from "./open-loop.ts";

/** One call, as a client in this process makes it and as it goes over the wire. */
export interface Target {
  readonly call: () => Promise<unknown>;
  readonly wire: WireCall;
}

/** What a caller saw of many calls of one method. */
export interface CallerResult {
  /** Milliseconds of each call. */
  readonly latenciesMs: readonly number[];
  readonly nFailed: number;
  readonly callsPerS: number;
}

/** Calls many times. */
export interface Caller {
  /** Keeps {@link CONCURRENCY} calls running for `seconds`; gives calls per second. */
  keepRunning(target: Target, seconds: number): Promise<number>;
  /** Begins calls at the moments `arrivalsMs` from its start, whether earlier ones have ended or not; times those after the warm-up. */
  beginAt(target: Target, arrivalsMs: readonly number[]): Promise<Omit<CallerResult, "callsPerS">>;
}

/** Calls at a time when none are begun on time. */
export const CONCURRENCY = 8;

const callers: Readonly<Record<string, Caller>> = {
  h2load: {
    keepRunning: async ({ wire }, seconds) => (await keepRunning(wire, CONCURRENCY, seconds)).callsPerS,
    beginAt: ({ wire }, arrivalsMs) => beginAt(wire, arrivalsMs),
  },
  node: {
    keepRunning: ({ call }, seconds) => closedLoop(call, CONCURRENCY, seconds),
    beginAt: ({ call }, arrivalsMs) => openLoop(call, arrivalsMs),
  },
};

/** The caller of that name; unnamed, h2load where it is installed, else this process. @throws When there is none. */
export function findCaller(name?: string): { readonly name: string; readonly caller: Caller } {
  const chosen = name ?? (hasH2load() ? "h2load" : "node");
  const caller = Object.hasOwn(callers, chosen) ? callers[chosen] : undefined;
  if (caller === undefined) throw new Error(`no caller ${chosen}; there are ${Object.keys(callers).join(", ")}`);
  return { name: chosen, caller };
}
