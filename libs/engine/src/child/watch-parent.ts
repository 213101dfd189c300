import { once } from "node:events";
import { Worker } from "node:worker_threads";

/** How often the parent is looked for: an orphan lives at most this long. */
const INTERVAL_MS = 1000;

/** Small, as a thread of the default size would reserve half a gigabyte. */
const LIMITS = { maxOldGenerationSizeMb: 8, maxYoungGenerationSizeMb: 1, codeRangeSizeMb: 1, stackSizeMb: 1 };

/**
 * Ends this process soon after its parent died, also in the middle of a run: a run blocks the main thread, where the
 * closed channel would be noticed, so a second thread watches. (The parent's death gives this process another parent.)
 */
export async function watchParent(): Promise<void> {
  const source = `
    const parent = process.ppid;
    setInterval(() => { if (process.ppid !== parent) process.kill(process.pid, "SIGKILL"); }, ${INTERVAL_MS});
  `;
  const watcher = new Worker(source, { eval: true, execArgv: [], resourceLimits: LIMITS });
  watcher.unref();
  await once(watcher, "online");
}
