import { WARM_UP_MS } from "./arrivals.ts";

/** What calls at given moments took. */
export interface OpenLoop {
  /** Milliseconds from the moment that a call was meant to begin, in order of their ends, without those of the warm-up. */
  readonly latenciesMs: readonly number[];
  /** Calls that failed. */
  readonly nFailed: number;
}

/**
 * Begins `call` at the moments `arrivalsMs`, whether earlier ones have ended or not, and times each from the moment it was due: a server
 * that stalls is not asked less for it.
 */
export async function openLoop(call: () => Promise<unknown>, arrivalsMs: readonly number[]): Promise<OpenLoop> {
  const latenciesMs: number[] = [];
  const running: Promise<void>[] = [];
  let nFailed = 0;
  const startMs = performance.now();
  for (const atMs of arrivalsMs) {
    const dueMs = startMs + atMs;
    const waitMs = dueMs - performance.now();
    if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
    // Timers come a little late: the call is timed from then, as the lateness is not the server's.
    const fromMs = waitMs > 0 ? performance.now() : dueMs;
    running.push(
      call().then(
        () => {
          if (atMs >= WARM_UP_MS) latenciesMs.push(performance.now() - fromMs);
        },
        () => {
          nFailed += 1;
        },
      ),
    );
  }
  await Promise.all(running);
  return { latenciesMs, nFailed };
}

/** Keeps `concurrency` calls running for `seconds`; gives calls per second. */
export async function closedLoop(call: () => Promise<unknown>, concurrency: number, seconds: number): Promise<number> {
  const startMs = performance.now();
  const endMs = startMs + 1000 * seconds;
  let nCalls = 0;
  const worker = async () => {
    while (performance.now() < endMs) {
      await call();
      nCalls += 1;
    }
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
  return (1000 * nCalls) / (performance.now() - startMs);
}
