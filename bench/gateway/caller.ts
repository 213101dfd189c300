import { callWithH2load, hasH2load, type WireCall } from "./h2load.ts";
import { closedLoop, openLoop } from "./open-loop.ts";

/** One call, as a client in this process makes it and as it goes over the wire. */
export interface Target {
  readonly call: () => Promise<unknown>;
  readonly wire: WireCall;
}

export interface CallerOptions {
  readonly seconds: number;
  /** Calls begun per second, whether earlier ones have ended or not. Without it eight run at a time. */
  readonly ratePerS?: number;
}

/** What a caller saw of many calls of one method. */
export interface CallerResult {
  /** Milliseconds of each call, in order of their ends. */
  readonly latenciesMs: readonly number[];
  readonly nFailed: number;
  readonly callsPerS: number;
}

/** Calls many times and times each. */
export type Caller = (target: Target, options: CallerOptions) => Promise<CallerResult>;

/** Calls at a time when none are begun on time. */
export const CONCURRENCY = 8;

const callers: Readonly<Record<string, Caller>> = {
  h2load: (target, options) => callWithH2load(target.wire, { concurrency: CONCURRENCY, ...options }),
  node: async ({ call }, { seconds, ratePerS }) =>
    ratePerS === undefined
      ? { latenciesMs: [], nFailed: 0, callsPerS: await closedLoop(call, CONCURRENCY, seconds) }
      : { ...(await openLoop(call, ratePerS, seconds)), callsPerS: ratePerS },
};

/** The caller of that name; unnamed, h2load where it is installed, else this process. @throws When there is none. */
export function findCaller(name?: string): { readonly name: string; readonly caller: Caller } {
  const chosen = name ?? (hasH2load() ? "h2load" : "node");
  const caller = Object.hasOwn(callers, chosen) ? callers[chosen] : undefined;
  if (caller === undefined) throw new Error(`no caller ${chosen}; there are ${Object.keys(callers).join(", ")}`);
  return { name: chosen, caller };
}
