import { type ChildProcess, fork } from "node:child_process";
import { assertNotAborted, DomainError } from "@parfocal/errors";
import type { ImportCommand, ImportOutcome, ImportReply } from "./import-messages.ts";

/** A process that ended, or could not be written to, before its job was done. */
export interface ImportProcessDeath {
  /** The signal or the exit status it ended with; `undefined` when the job did not reach it. */
  readonly how: NodeJS.Signals | number | undefined;
  /** Outcomes that it had given by then. */
  readonly nGiven: number;
}

/** A child process that imports one file at a time. */
export interface ImportProcess {
  /** Whether it can take a job; one that was told to end cannot, though it may still be there. */
  isAlive(): boolean;
  /**
   * Does a job, giving its outcomes in order, and returns the death of the process if that came first. Leaving early, or an abort,
   * ends the process and waits until it is gone: parsers cannot be asked to stop.
   *
   * @throws {DomainError} `CANCELLED` or `DEADLINE_EXCEEDED` by the signal; `UNREACHABLE` when the process could not be started; a
   * failure of the service that the process met.
   */
  outcomes(command: ImportCommand, signal: AbortSignal): AsyncGenerator<ImportOutcome, ImportProcessDeath | undefined>;
  /** Ends it, whatever it is doing, and waits until it is gone. */
  end(): Promise<void>;
}

/**
 * Starts a process with a V8 heap of at most `heapMb` MiB; `onGone` is called when it is no more.
 *
 * @throws {DomainError} `UNREACHABLE` when the system refuses at once; of a later refusal the first job tells.
 */
export function startImportProcess(heapMb: number, onGone: () => void): ImportProcess {
  const child = forkWorker(heapMb);
  const life: Life = { child, isGone: false, startFailure: undefined, wake: () => {} };
  const gone = new Promise<void>((resolve) => {
    const end = () => {
      life.isGone = true;
      life.wake();
      onGone();
      resolve();
    };
    // Not "exit": only now has everything it said arrived.
    child.once("close", end);
    // Without a listener an error would end the gateway. Sends have callbacks of their own, so what matters is a process that never came to be.
    child.on("error", (error) => {
      if (child.pid !== undefined) return;
      life.startFailure = error;
      end();
    });
  });
  const end = async (): Promise<void> => {
    child.kill("SIGKILL");
    await gone;
  };
  return {
    isAlive: () => child.connected && child.exitCode === null && child.signalCode === null && !child.killed,
    outcomes: (command, signal) => outcomesOf(life, command, signal, end),
    end,
  };
}

/** What is known of a child process, which its listeners write. */
interface Life {
  readonly child: ChildProcess;
  isGone: boolean;
  startFailure: Error | undefined;
  /** Wakes who waits for something to happen to it. */
  wake: () => void;
}

function forkWorker(heapMb: number): ChildProcess {
  try {
    return fork(new URL("./import-worker.ts", import.meta.url), {
      serialization: "advanced",
      execArgv: [`--max-old-space-size=${heapMb}`],
    });
  } catch (error) {
    throw startError(error);
  }
}

/** `UNREACHABLE`, as it passes: workflows and clients try again. */
function startError(cause: unknown): DomainError {
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "unknown error";
  return new DomainError("UNREACHABLE", `no import process could be started: ${code}`, { cause });
}

async function* outcomesOf(
  life: Life,
  command: ImportCommand,
  signal: AbortSignal,
  end: () => Promise<void>,
): AsyncGenerator<ImportOutcome, ImportProcessDeath | undefined> {
  const { child } = life;
  const replies: ImportReply[] = [];
  const onMessage = (reply: unknown) => {
    replies.push(reply as ImportReply);
    life.wake();
  };
  const onAbort = () => life.wake();
  let isUnsent = false;
  let nGiven = 0;
  let isDone = false;
  child.on("message", onMessage);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    send(child, command, () => {
      isUnsent = true;
      life.wake();
    });
    for (;;) {
      assertNotAborted(signal);
      const reply = replies.shift();
      if (reply?.kind === "outcome") {
        nGiven++;
        // After an error there is nothing more of the file.
        isDone = reply.outcome.kind === "error";
        yield reply.outcome;
        if (isDone) return undefined;
      } else if (reply !== undefined) {
        isDone = true;
        if (reply.kind === "failed") throw new DomainError(reply.code, reply.message);
        return undefined;
      } else if (life.startFailure !== undefined) throw startError(life.startFailure);
      else if (life.isGone) return { how: child.signalCode ?? child.exitCode ?? undefined, nGiven };
      else if (isUnsent) return { how: undefined, nGiven };
      else await new Promise<void>((resolve) => (life.wake = resolve));
    }
  } finally {
    child.off("message", onMessage);
    signal.removeEventListener("abort", onAbort);
    if (!isDone) await end();
  }
}

/** Sends a command; `onFailed` hears of a process that is no more. */
function send(child: ChildProcess, command: ImportCommand, onFailed: () => void): void {
  // A process that was not started for want of file handles has no channel at all.
  if (!child.connected) onFailed();
  else child.send(command, (error) => error !== null && onFailed());
}
