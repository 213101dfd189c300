import type { RunRequest, RunResult, StepEngine } from "@parfocal/engine";

/** Messages on their way at a time: one in the engine, and the next ready when it ends. */
const IN_FLIGHT = 2;

/** Sends messages to the engine one behind the other and tells how long it had nothing to do. */
export interface EnginePump<T> {
  /** Sends runs; gives what is done by then, oldest first. @throws What the engine throws for an earlier message. */
  send(runs: readonly RunRequest[], about: T): Promise<PumpedResult<T>[]>;
  /** Waits for all that is under way. */
  drain(): Promise<PumpedResult<T>[]>;
  /** Waits for the end of all that is under way, however it ends. */
  settle(): Promise<void>;
  /** Milliseconds in which nothing was in the engine, since the last time this was asked. */
  takeIdleMs(): number;
  /** Stops and starts the count of idle time, around work that does not go through the pump. */
  pause(): void;
  resume(): void;
}

/** Results of one message with what its sender said of it. */
export interface PumpedResult<T> {
  readonly results: readonly RunResult[];
  readonly about: T;
}

/** A pump on an engine; `signal` ends what is under way. */
export function createEnginePump<T>(
  engine: StepEngine,
  { nowMs, signal }: { nowMs(): number; readonly signal: AbortSignal },
): EnginePump<T> {
  const sent: Promise<PumpedResult<T>>[] = [];
  let nPending = 0;
  let isPaused = false;
  let idleFromMs = nowMs();
  let idleMs = 0;
  const countIdle = (): void => {
    if (nPending === 0 && !isPaused) idleMs += nowMs() - idleFromMs;
    idleFromMs = nowMs();
  };
  const start = async (runs: readonly RunRequest[], about: T): Promise<PumpedResult<T>> => {
    countIdle();
    nPending += 1;
    try {
      return { results: await engine.run(runs, { signal }), about };
    } finally {
      nPending -= 1;
      idleFromMs = nowMs();
    }
  };
  const takeUntil = async (left: number): Promise<PumpedResult<T>[]> => {
    const done: PumpedResult<T>[] = [];
    while (sent.length > left) {
      const [oldest] = sent;
      if (oldest !== undefined) done.push(await oldest);
      void sent.shift();
    }
    return done;
  };
  return {
    async send(runs, about) {
      const work = start(runs, about);
      // A failure is told when its turn comes.
      work.catch(() => undefined);
      sent.push(work);
      return takeUntil(IN_FLIGHT - 1);
    },
    drain: () => takeUntil(0),
    async settle() {
      await Promise.allSettled(sent.splice(0));
    },
    takeIdleMs() {
      countIdle();
      const taken = idleMs;
      idleMs = 0;
      return taken;
    },
    pause() {
      countIdle();
      isPaused = true;
    },
    resume() {
      countIdle();
      isPaused = false;
    },
  };
}
