import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";

/** How often the resident size is read: it takes longer than this to touch a few hundred MB. */
const INTERVAL_MS = 50;

/** What a run may not take: without it the process could not even build the error to answer with. */
const SLACK_BYTES = 2 ** 27;

/**
 * Asks the kernel to refuse the process more than `limitBytes` of memory, so that an allocation fails in the run that
 * asks for it and the process lives on. The kernel counts what is reserved for writing, of which a fresh process holds
 * some hundred MB untouched and each session some more for its threads: these are granted on top. Where the system has no `prlimit`, {@link watchMemory} is all.
 */
export async function limitMemory(pid: number, limitBytes: number): Promise<void> {
  const memory = await readMemory(pid);
  if (memory === undefined) return;
  const untouched = Math.max(0, memory.dataBytes - memory.residentBytes);
  const args = ["--pid", String(pid), `--data=${limitBytes + untouched + SLACK_BYTES}:`];
  await new Promise<void>((resolve) => {
    execFile("prlimit", args, { timeout: 2000 }, () => resolve());
  });
}

/**
 * Calls `onExceeded` once when the process's resident memory exceeds `limitBytes`; gives the function that stops
 * watching. Where the system has no `/proc`, nothing is watched.
 */
export function watchMemory(pid: number, limitBytes: number, onExceeded: (bytes: number) => void): () => void {
  let isWatching = true;
  const timer = setInterval(() => {
    void readMemory(pid).then((memory) => {
      // A reading may come back after its watch was stopped: it must not be held against the next request.
      if (!isWatching || memory === undefined || memory.residentBytes <= limitBytes) return;
      stop();
      onExceeded(memory.residentBytes);
    });
  }, INTERVAL_MS);
  function stop(): void {
    isWatching = false;
    clearInterval(timer);
  }
  return stop;
}

/** Memory of a process; `undefined` when it is gone or the system does not tell. */
async function readMemory(pid: number): Promise<{ residentBytes: number; dataBytes: number } | undefined> {
  const text = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
  const resident = /^VmRSS:\s+(\d+) kB$/m.exec(text)?.[1];
  const data = /^VmData:\s+(\d+) kB$/m.exec(text)?.[1];
  if (resident === undefined || data === undefined) return undefined;
  return { residentBytes: Number(resident) * 1024, dataBytes: Number(data) * 1024 };
}
