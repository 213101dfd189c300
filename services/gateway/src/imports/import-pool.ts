import { type ChildProcess, fork } from "node:child_process";
import { abortErrorFromSignal, assertNotAborted, DomainError } from "@parfocal/errors";
import type { ImportCommand, ImportJob, ImportOutcome, ImportReply } from "./import-messages.ts";

/** Settings of an {@link ImportPool}. */
export interface ImportPoolOptions {
  /** Files imported at a time, each in a process of its own. */
  readonly maxProcesses: number;
  /** Jobs that may wait; one more is `RESOURCE_EXHAUSTED`. */
  readonly maxWaiting: number;
  /** Largest V8 heap of a process, MiB. Tensors live outside it. */
  readonly heapMb: number;
}

/**
 * Imports files in child processes: bytes from outside are parsed where a crash, a hang or a bomb costs one request and
 * not the gateway, and the gateway's memory does not grow with the bags.
 */
export interface ImportPool {
  /**
   * Imports one file, giving each bag as it is stored.
   *
   * @throws {DomainError} `RESOURCE_EXHAUSTED` when too many wait, `CANCELLED`, `INTERNAL` when the process died.
   */
  run(job: ImportJob, signal: AbortSignal): AsyncIterable<ImportOutcome>;
  /** Ends every process. */
  close(): void;
}

/** A pool that starts processes when they are needed and keeps them for the next file. */
export function createImportPool(options: ImportPoolOptions): ImportPool {
  const idle: ChildProcess[] = [];
  const all = new Set<ChildProcess>();
  const waiting: (() => void)[] = [];
  let running = 0;

  const start = (): ChildProcess => {
    const worker = fork(new URL("./import-worker.ts", import.meta.url), {
      serialization: "advanced",
      execArgv: [`--max-old-space-size=${options.heapMb}`],
    });
    all.add(worker);
    worker.once("exit", () => all.delete(worker));
    return worker;
  };

  const acquire = async (signal: AbortSignal): Promise<void> => {
    if (running < options.maxProcesses) {
      running++;
      return;
    }
    if (waiting.length >= options.maxWaiting) {
      throw new DomainError(
        "RESOURCE_EXHAUSTED",
        `${waiting.length} imports wait already; at most ${options.maxWaiting} may`,
      );
    }
    await waitForTurn(waiting, signal);
  };

  const release = (worker: ChildProcess): void => {
    if (isAlive(worker)) idle.push(worker);
    const next = waiting.shift();
    if (next === undefined) running--;
    else next();
  };

  return {
    async *run(job, signal) {
      assertNotAborted(signal);
      await acquire(signal);
      // One that died while it waited is of no use, and forgotten.
      while (idle.length > 0 && !isAlive(idle.at(-1)!)) idle.pop();
      const worker = idle.pop() ?? start();
      try {
        yield* outcomesOf(worker, job, signal);
      } finally {
        release(worker);
      }
    },
    close() {
      for (const worker of all) worker.kill("SIGKILL");
    },
  };
}

/** Whether a process can take a job; one that was told to end cannot, though it may still be there. */
function isAlive(worker: ChildProcess): boolean {
  return worker.connected && worker.exitCode === null && !worker.killed;
}

/** Waits until a finished import hands its place over. */
function waitForTurn(waiting: (() => void)[], signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const turn = () => {
      signal.removeEventListener("abort", onAbort);
      resolve();
    };
    const onAbort = () => {
      waiting.splice(waiting.indexOf(turn), 1);
      reject(abortErrorFromSignal(signal));
    };
    signal.addEventListener("abort", onAbort, { once: true });
    waiting.push(turn);
  });
}

/** Sends a job and gives its replies in order. Leaving early (or an abort) kills the process: parsers cannot be asked to stop. */
async function* outcomesOf(worker: ChildProcess, job: ImportJob, signal: AbortSignal): AsyncIterable<ImportOutcome> {
  const replies: ImportReply[] = [];
  let wake = () => {};
  const onMessage = (reply: unknown) => {
    replies.push(reply as ImportReply);
    wake();
  };
  const onEnd = () => wake();
  worker.on("message", onMessage).once("exit", onEnd);
  signal.addEventListener("abort", onEnd, { once: true });
  let isDone = false;
  try {
    worker.send({ kind: "import", job } satisfies ImportCommand);
    for (;;) {
      assertNotAborted(signal);
      const reply = replies.shift();
      if (reply?.kind === "outcome") yield reply.outcome;
      else if (reply?.kind === "done") {
        isDone = true;
        return;
      } else if (worker.exitCode !== null || worker.signalCode !== null) {
        throw new DomainError(
          "INTERNAL",
          `the import process ended (${worker.signalCode ?? worker.exitCode}) while it read the file`,
        );
      } else await new Promise<void>((resolve) => (wake = resolve));
    }
  } finally {
    worker.off("message", onMessage).off("exit", onEnd);
    signal.removeEventListener("abort", onEnd);
    if (!isDone) worker.kill("SIGKILL");
  }
}
