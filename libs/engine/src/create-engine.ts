import { abortErrorFromSignal, assertNotAborted, DomainError } from "@parfocal/errors";
import { assertHostTensor, copyHostTensor } from "./element-types.ts";
import { type EngineOptions, type ResolvedEngineOptions, resolveEngineOptions } from "./engine-options.ts";
import type { Engine, EngineStats, HostTensor, RunResult } from "./engine-port.ts";
import type { EngineProcess, WorkReply } from "./engine-process.ts";
import { createJobQueue, type Job } from "./job-queue.ts";
import { watchMemory } from "./memory-watch.ts";
import { createModelFiles } from "./model-files.ts";
import { assertRuns, workFromRuns } from "./prepare-runs.ts";
import { createProcessKeeper } from "./process-keeper.ts";
import { type ChildStats, errorFromWire, type Work } from "./wire.ts";

const NO_STATS: ChildStats = { sessions: 0, sessionsCreated: 0, cachedBytes: 0, residentTensors: 0, residentBytes: 0 };

/**
 * An engine on one device, in a process of its own that starts now. Callers must `close` it: until then it keeps the
 * calling process alive.
 *
 * @throws {DomainError} INVALID_ARGUMENT when an option is outside its bound
 */
export function createEngine(options: EngineOptions = {}): Engine {
  const settings = resolveEngineOptions(options);
  const files = createModelFiles(settings.scratchDir);
  const keeper = createProcessKeeper(settings);
  let serving: Promise<void> | undefined;
  const queue = createJobQueue(settings.maxQueue, () => serving !== undefined);
  const totals = { runs: 0, engineMs: 0 };
  let childStats = NO_STATS;
  let isClosed = false;

  async function submit(prepare: () => Promise<Work>, signal?: AbortSignal) {
    if (isClosed) throw closedError();
    const result = queue.add(prepare, signal);
    serving ??= serve().finally(() => {
      serving = undefined;
    });
    return result;
  }
  async function serve(): Promise<void> {
    for (let job = queue.take(); job !== undefined; job = queue.take()) await serveOne(job);
  }
  async function serveOne(job: Job): Promise<void> {
    try {
      const work = await job.prepare();
      const process = await orAborted(keeper.current(), job.signal);
      const reply = await performUnder(process, work, job.signal, settings);
      childStats = reply.stats;
      if (job.signal?.aborted) throw abortErrorFromSignal(job.signal);
      if (reply.kind === "failed") throw errorFromWire(reply.error);
      count(reply.result.runs);
      job.resolve(reply.result);
    } catch (error) {
      job.reject(error);
    }
    if (childStats.sessionsCreated < settings.recycleAfterSessions || childStats.residentTensors > 0) return;
    childStats = NO_STATS;
    keeper.recycle();
  }
  function count(runs: readonly RunResult[]): void {
    totals.runs += runs.length;
    for (const run of runs) totals.engineMs += run.engineMs;
  }
  function stats(): EngineStats {
    const { sessionsCreated: _, ...ofChild } = childStats;
    const { respawns, recycles } = keeper;
    return { queued: queue.length, isBusy: serving !== undefined, ...totals, respawns, recycles, ...ofChild };
  }

  return {
    get device() {
      return keeper.device;
    },
    async ready({ signal } = {}) {
      await orAborted(keeper.current(), signal);
    },
    stats,
    async run(requests, { signal } = {}) {
      if (requests.length === 0) return [];
      assertRuns(requests);
      const { runs } = await submit(() => workFromRuns(requests, files), signal);
      return runs.map((run) => ({ outputs: copyAll(run.outputs), engineMs: run.engineMs }));
    },
    async setResident(tensors, { signal } = {}) {
      for (const [name, tensor] of Object.entries(tensors)) assertHostTensor(name, tensor);
      await submit(async () => ({ kind: "set", tensors }), signal);
    },
    async getResident(names, { signal } = {}) {
      return copyAll((await submit(async () => ({ kind: "get", names }), signal)).tensors);
    },
    async dropResident(prefix) {
      await submit(async () => ({ kind: "drop", prefix }));
    },
    async close({ drain = false } = {}) {
      isClosed = true;
      queue.rejectAll(closedError());
      if (drain) await serving;
      await keeper.close(drain ? undefined : closedError());
      await serving;
      await files.close();
    },
  };
}

/** Hands the work to the process, and ends the process when the signal fires or memory runs over. */
async function performUnder(
  process: EngineProcess,
  work: Work,
  signal: AbortSignal | undefined,
  settings: ResolvedEngineOptions,
): Promise<WorkReply> {
  assertNotAborted(signal);
  let grace: NodeJS.Timeout | undefined;
  const onAbort = () => {
    process.cancel();
    if (signal !== undefined)
      grace = setTimeout(() => process.kill(abortErrorFromSignal(signal)), settings.cancelGraceMs);
  };
  signal?.addEventListener("abort", onAbort, { once: true });
  const stopWatching = watchLimit(process, settings.memoryLimitBytes);
  try {
    return await process.perform(work);
  } finally {
    stopWatching();
    clearTimeout(grace);
    signal?.removeEventListener("abort", onAbort);
  }
}

function watchLimit(process: EngineProcess, limit: number): () => void {
  if (limit === Number.MAX_SAFE_INTEGER || process.pid === undefined) return () => undefined;
  return watchMemory(process.pid, limit, (bytes) => {
    process.kill(new DomainError("OUT_OF_MEMORY", `the engine process held ${bytes} bytes, its limit is ${limit}`));
  });
}

/** The promise's value unless the signal fires first. */
async function orAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  assertNotAborted(signal);
  const aborted = Promise.withResolvers<never>();
  const onAbort = () => aborted.reject(abortErrorFromSignal(signal));
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await Promise.race([promise, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

function copyAll(tensors: Readonly<Record<string, HostTensor>>): Record<string, HostTensor> {
  return Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [name, copyHostTensor(tensor)]));
}

function closedError(): DomainError {
  return new DomainError("UNREACHABLE", "the engine is closed");
}
