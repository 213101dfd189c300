import { abortErrorFromSignal, assertNotAborted, DomainError, orAborted } from "@parfocal/errors";
import { createCounterTotals, NO_COUNTERS } from "./counter-totals.ts";
import { assertHostTensor } from "./element-types.ts";
import { type EngineOptions, type ResolvedEngineOptions, resolveEngineOptions } from "./engine-options.ts";
import type { Engine, EngineStats, RunResult } from "./engine-port.ts";
import type { EngineProcess, WorkReply } from "./engine-process.ts";
import { createForesight } from "./foresight.ts";
import { type AddOptions, createJobQueue, type Job, type Prepare } from "./job-queue.ts";
import { limitMemory, watchMemory } from "./memory-limit.ts";
import { assertRuns, workFromRuns } from "./prepare-runs.ts";
import { closedError, createProcessKeeper } from "./process-keeper.ts";
import { createScratchFolder } from "./scratch-folder.ts";
import { type ChildStats, errorFromWire, type WireRunResult, type Work, type WorkResult } from "./wire.ts";
import { discardTensors, packTensors, takeTensors } from "./wire-tensor.ts";

const NO_STATS: ChildStats = { ...NO_COUNTERS, sessions: 0, cachedBytes: 0, residentTensors: 0, residentBytes: 0 };

/**
 * An engine on one device, in a process of its own that starts now. Callers must `close` it: until then it keeps the
 * calling process alive.
 *
 * @throws {DomainError} INVALID_ARGUMENT when an option is outside its bound
 */
export function createEngine(options: EngineOptions = {}): Engine {
  const settings = resolveEngineOptions(options);
  const scratch = createScratchFolder(settings.scratchDir);
  const keeper = createProcessKeeper(settings, scratch.transferDir);
  let isServing = false;
  let served: Promise<void> = Promise.resolve();
  const queue = createJobQueue(settings.maxQueue, { isBusy: () => isServing, onChange: () => foresight.look() });
  const foresight = createForesight(queue, scratch.transferDir);
  const totals = { runs: 0, engineMs: 0 };
  const counters = createCounterTotals();
  let childStats = NO_STATS;
  let limited: { readonly process?: EngineProcess; readonly sessionsCreated: number } = { sessionsCreated: 0 };
  let isWorn = false;
  let isClosed = false;

  async function submit(prepare: Prepare, options: AddOptions) {
    if (isClosed) throw closedError();
    const result = queue.add(prepare, options);
    if (!isServing) served = serve();
    return result;
  }
  async function serve(): Promise<void> {
    isServing = true;
    for (let job = queue.take(); job !== undefined; job = queue.take()) await serveOne(job);
    isServing = false;
  }
  async function serveOne(job: Job): Promise<void> {
    const prepared = foresight.take(job);
    try {
      const work = await prepared.work;
      const process = await orAborted(keeper.current(), job.signal);
      const reply = await performLimited(process, work, job.signal);
      if (job.signal?.aborted) {
        if (reply.kind === "done") await discardResult(reply.result);
        throw abortErrorFromSignal(job.signal);
      }
      if (reply.kind === "failed") throw errorFromWire(reply.error);
      count(reply.result.runs);
      job.resolve(reply.result);
    } catch (error) {
      job.reject(error);
    }
    await prepared.dispose();
    if (!isWorn || childStats.residentTensors > 0) return;
    isWorn = false;
    childStats = NO_STATS;
    keeper.recycle();
  }
  async function performLimited(process: EngineProcess, work: Work, signal: AbortSignal | undefined) {
    const isNew = process !== limited.process || childStats.sessionsCreated !== limited.sessionsCreated;
    if (isLimited(settings) && isNew && process.pid !== undefined) {
      await limitMemory(process.pid, settings.memoryLimitBytes);
      limited = { process, sessionsCreated: childStats.sessionsCreated };
    }
    try {
      const reply = await performUnder(process, () => foresight.perform(process, work), signal, settings);
      childStats = reply.stats;
      counters.add(process, reply.stats);
      // The runtime keeps the memory it once took: after a lack of it, a fresh process can do more.
      isWorn ||= reply.kind === "failed" && reply.error.code === "OUT_OF_MEMORY";
      isWorn ||= childStats.sessionsCreated >= settings.recycleAfterSessions;
      return reply;
    } finally {
      if (!process.isAlive) {
        childStats = NO_STATS;
        isWorn = false;
      }
    }
  }
  function count(runs: readonly WireRunResult[]): void {
    totals.runs += runs.length;
    for (const run of runs) totals.engineMs += run.engineMs;
  }
  function stats(): EngineStats {
    const { pid, respawns, recycles } = keeper;
    return {
      pid,
      queued: queue.length,
      isBusy: isServing,
      ...totals,
      respawns,
      recycles,
      ...childStats,
      ...counters.current,
    };
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
      const { runs } = await submit((packer) => workFromRuns(requests, scratch, packer), { signal });
      return takeRuns(runs);
    },
    async setResident(tensors, { signal } = {}) {
      for (const [name, tensor] of Object.entries(tensors)) assertHostTensor(name, tensor);
      await submit(async (packer) => ({ kind: "set", tensors: await packTensors(tensors, packer) }), { signal });
    },
    async getResident(names, { signal } = {}) {
      return takeTensors((await submit(async () => ({ kind: "get", names }), { signal })).tensors);
    },
    async dropResident(prefix) {
      await submit(async () => ({ kind: "drop", prefix }), { isUnbounded: true });
    },
    async close({ drain = false } = {}) {
      isClosed = true;
      queue.rejectAll(closedError());
      if (drain) await served;
      await keeper.close(drain ? undefined : closedError());
      await served;
      await scratch.close();
    },
  };
}

/** Hands the work to the process, and ends the process when the signal fires or memory runs over. */
async function performUnder(
  process: EngineProcess,
  perform: () => Promise<WorkReply>,
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
  const stopWatching = watchLimit(process, settings);
  try {
    return await perform();
  } finally {
    stopWatching();
    clearTimeout(grace);
    signal?.removeEventListener("abort", onAbort);
  }
}

function isLimited(settings: ResolvedEngineOptions): boolean {
  return settings.memoryLimitBytes < Number.MAX_SAFE_INTEGER;
}

function watchLimit(process: EngineProcess, settings: ResolvedEngineOptions): () => void {
  if (!isLimited(settings) || process.pid === undefined) return () => undefined;
  const limit = settings.memoryLimitBytes;
  return watchMemory(process.pid, limit, (bytes) => {
    process.kill(new DomainError("OUT_OF_MEMORY", `the engine process held ${bytes} bytes, its limit is ${limit}`));
  });
}

async function takeRuns(runs: readonly WireRunResult[]): Promise<RunResult[]> {
  const results: RunResult[] = [];
  for (const { outputs, ...rest } of runs) results.push({ outputs: await takeTensors(outputs), ...rest });
  return results;
}

/** Removes the files of a result that nobody takes. */
async function discardResult({ runs, tensors }: WorkResult): Promise<void> {
  for (const each of [tensors, ...runs.map(({ outputs }) => outputs)]) await discardTensors(each);
}
