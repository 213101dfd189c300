import { readFile } from "node:fs/promises";

/** How often the resident size is read: an allocation of a few GB takes longer than this to be touched. */
const INTERVAL_MS = 50;
const PAGE_BYTES = 4096;

/**
 * Calls `onExceeded` once when the process's resident memory exceeds `limitBytes`; gives the function that stops
 * watching. Where the system has no `/proc`, nothing is watched.
 */
export function watchMemory(pid: number, limitBytes: number, onExceeded: (bytes: number) => void): () => void {
  const timer = setInterval(() => {
    void readResidentBytes(pid).then((bytes) => {
      if (bytes === undefined || bytes <= limitBytes) return;
      clearInterval(timer);
      onExceeded(bytes);
    });
  }, INTERVAL_MS);
  return () => clearInterval(timer);
}

/** Resident memory of a process in bytes; `undefined` when it is gone or the system does not tell. */
export async function readResidentBytes(pid: number): Promise<number | undefined> {
  const text = await readFile(`/proc/${pid}/statm`, "utf8").catch(() => undefined);
  const pages = Number(text?.split(" ")[1]);
  return Number.isNaN(pages) ? undefined : pages * PAGE_BYTES;
}
