import { readFileSync } from "node:fs";
import { DomainError } from "@parfocal/errors";

/** How an engine process ended. */
export interface ProcessExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** The last of what it wrote to its standard error. */
  readonly stderrTail: string;
  /** Whether the kernel's out-of-memory killer was at work meanwhile; `undefined` where that cannot be known. */
  readonly sawOutOfMemoryKill: boolean | undefined;
}

const MEMORY = /heap out of memory|bad_alloc|out of memory|allocation failed/i;

/**
 * The error for the request that was in a process when it ended by itself: `OUT_OF_MEMORY` when memory ended it,
 * otherwise `ENGINE_CRASHED`. What it wrote goes into `cause`, for the log.
 */
export function errorFromExit(exit: ProcessExit): DomainError {
  const cause = exit.stderrTail === "" ? {} : { cause: new Error(exit.stderrTail) };
  const how = exit.signal === null ? `exit code ${exit.code}` : exit.signal;
  // Nobody but the kernel kills -9 unasked: without its counters, take the signal for its doing.
  const isKernel = exit.signal === "SIGKILL" && exit.sawOutOfMemoryKill !== false;
  if (isKernel || MEMORY.test(exit.stderrTail)) {
    return new DomainError("OUT_OF_MEMORY", `the engine process ran out of memory (${how})`, cause);
  }
  return new DomainError("ENGINE_CRASHED", `the engine process ended in the middle of the request (${how})`, cause);
}

/** Kills by the out-of-memory killer on this machine so far; `undefined` where the kernel does not say. */
export function readOutOfMemoryKills(): number | undefined {
  const counts = ["/proc/vmstat", "/sys/fs/cgroup/memory.events"].map(readCount).filter((count) => count !== undefined);
  return counts.length === 0 ? undefined : counts.reduce((sum, count) => sum + count, 0);
}

function readCount(path: string): number | undefined {
  try {
    const found = /^oom_kill (\d+)$/m.exec(readFileSync(path, "utf8"));
    return found === null ? undefined : Number(found[1]);
  } catch {
    return undefined;
  }
}
