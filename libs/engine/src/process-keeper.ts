import { DomainError, isDomainError } from "@parfocal/errors";
import type { ChildOptions, ResolvedEngineOptions } from "./engine-options.ts";
import { createEngineProcess, type EngineProcess } from "./engine-process.ts";

/** How long an idle process may take to leave by itself. */
const LEAVE_MS = 2000;

/** Keeps one engine process alive. */
export interface ProcessKeeper {
  readonly device: string;
  readonly pid: number | undefined;
  readonly respawns: number;
  readonly recycles: number;
  /** The process, once it is ready. @throws {DomainError} DEVICE_MISSING, ENGINE_CRASHED, OUT_OF_MEMORY, UNREACHABLE when closed */
  current(): Promise<EngineProcess>;
  /** Replaces the process, in which nothing is; keeps it when no other can be started. */
  recycle(): void;
  /** Ends the process; with a reason at once. */
  close(reason?: DomainError): Promise<void>;
}

/**
 * Starts an engine process and another one whenever it ends. One that ends before it was ready is started again only
 * when it is asked for, so that a broken installation does not spin; a device that was missing at first stays missing.
 */
export function createProcessKeeper(options: ResolvedEngineOptions, transferDir: string): ProcessKeeper {
  let device = options.device;
  let respawns = 0;
  let recycles = 0;
  let isClosed = false;
  let missing: DomainError | undefined;
  let hasServed = false;
  let process = spawn();

  /** @throws {DomainError} ENGINE_CRASHED when the system lends no process: `fork` throws some of its failures at once. */
  function spawn(): EngineProcess {
    try {
      const started = createEngineProcess({ ...childOptions(options), device, transferDir }, options.startTimeoutMs);
      void follow(started);
      return started;
    } catch (cause) {
      throw new DomainError("ENGINE_CRASHED", "no engine process can be started", { cause });
    }
  }
  async function follow(started: EngineProcess): Promise<void> {
    try {
      device = await started.ready;
      hasServed = true;
    } catch (error) {
      // A device that was there may come back: whoever asks next tries again.
      if (isDomainError(error, "DEVICE_MISSING") && !hasServed) missing = error;
      started.leave();
      return;
    }
    await started.ended;
    if (started === process && !isClosed) tryReplace();
  }
  function replace(): void {
    process = spawn();
    respawns += 1;
  }
  function tryReplace(): void {
    try {
      replace();
    } catch {
      // `current` tries again, for a caller who can be told.
    }
  }

  return {
    get device() {
      return device;
    },
    get pid() {
      return process.pid;
    },
    get respawns() {
      return respawns;
    },
    get recycles() {
      return recycles;
    },
    async current() {
      // A process that is started now is one that nobody ends.
      if (isClosed) throw closedError();
      if (missing !== undefined) throw missing;
      if (!process.isAlive) replace();
      const asked = process;
      await asked.ready;
      return asked;
    },
    recycle() {
      if (isClosed) return;
      const old = process;
      try {
        process = spawn();
      } catch {
        // The old one is worn, not broken.
        return;
      }
      recycles += 1;
      old.leave();
    },
    async close(reason) {
      isClosed = true;
      if (reason === undefined) process.leave();
      else process.kill(reason);
      const timer = setTimeout(() => process.kill(closingTooLong()), LEAVE_MS);
      await process.ended;
      clearTimeout(timer);
    },
  };
}

/** What calls of a closed engine end with. */
export function closedError(): DomainError {
  return new DomainError("UNREACHABLE", "the engine is closed");
}

function closingTooLong(): DomainError {
  return new DomainError("ENGINE_CRASHED", `the engine process did not leave within ${LEAVE_MS} ms`);
}

function childOptions(options: ResolvedEngineOptions): Omit<ChildOptions, "device" | "transferDir"> {
  const { intraOpThreads, cacheBytes, maxSessions, allowSpinning, store } = options;
  return { intraOpThreads, cacheBytes, maxSessions, allowSpinning, ...(store === undefined ? {} : { store }) };
}
