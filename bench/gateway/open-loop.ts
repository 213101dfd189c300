/** What calls at a fixed rate took. */
export interface OpenLoop {
  /** Milliseconds from the moment that a call was meant to begin, in order of their ends. */
  readonly latenciesMs: readonly number[];
  /** Calls that failed. */
  readonly nFailed: number;
}

/**
 * Begins `call` `ratePerS` times a second for `seconds`, whether earlier ones have ended or not, and times each from the
 * moment it was due: a server that stalls is not asked less for it.
 */
export async function openLoop(call: () => Promise<unknown>, ratePerS: number, seconds: number): Promise<OpenLoop> {
  const latenciesMs: number[] = [];
  const running: Promise<void>[] = [];
  let nFailed = 0;
  const startMs = performance.now();
  const nCalls = Math.round(ratePerS * seconds);
  for (let i = 0; i < nCalls; i += 1) {
    const dueMs = startMs + (i * 1000) / ratePerS;
    const waitMs = dueMs - performance.now();
    if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
    // Timers come a little late: the call is timed from then, as the lateness is not the server's.
    const fromMs = waitMs > 0 ? performance.now() : dueMs;
    running.push(
      call().then(
        () => void latenciesMs.push(performance.now() - fromMs),
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
