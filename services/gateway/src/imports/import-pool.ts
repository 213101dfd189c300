import { assertNotAborted, DomainError } from "@parfocal/errors";
import type { ImportJob, ImportOutcome } from "./import-messages.ts";
import { type ImportProcess, type ImportProcessDeath, startImportProcess } from "./import-process.ts";
import { createImportTurns } from "./import-turns.ts";
import { createTemporaryFolder, removeTemporaryFolder } from "./temporary-folders.ts";

/** Settings of an {@link ImportPool}. */
export interface ImportPoolOptions {
  /** Files imported at a time, each in a process of its own. */
  readonly maxProcesses: number;
  /** Jobs that may wait; one more is `RESOURCE_EXHAUSTED`. */
  readonly maxWaiting: number;
  /** Largest V8 heap of a process, MiB. Tensors live outside it. */
  readonly heapMb: number;
  /** How long one file may take once its turn has come, seconds. */
  readonly maxFileSeconds: number;
}

/**
 * Imports files in child processes: bytes from outside are parsed where a crash, a hang or a bomb costs one request and
 * not the gateway, and the gateway's memory does not grow with the bags.
 */
export interface ImportPool {
  /**
   * Imports one file, giving each bag as it is stored. A file over which its process dies is tried once more, alone and in a fresh
   * process; when that dies too, the death is its outcome.
   *
   * @throws {DomainError} `RESOURCE_EXHAUSTED` when too many wait, `CANCELLED`, and failures of the service that say nothing of the
   * file: `UNREACHABLE` when no process can be started or the pool was closed, what the store answers when it fails.
   */
  run(job: ImportJob, signal: AbortSignal): AsyncIterable<ImportOutcome>;
  /** Ends every process, and removes what they had on disk. */
  close(): Promise<void>;
}

/** Signals that end a process for its memory: the kernel's, and what V8 does when its heap is full. */
const MEMORY_SIGNALS: readonly unknown[] = ["SIGKILL", "SIGABRT"] satisfies NodeJS.Signals[];

/** A pool that starts processes when they are needed and keeps them for the next file. */
export function createImportPool(options: ImportPoolOptions): ImportPool {
  const turns = createImportTurns(options.maxProcesses, options.maxWaiting);
  const idle: ImportProcess[] = [];
  const all = new Set<ImportProcess>();
  const folders = new Set<string>();
  let isClosed = false;

  const start = (): ImportProcess => {
    const started = startImportProcess(options.heapMb, () => all.delete(started));
    all.add(started);
    return started;
  };

  /** The one that was idle for the shortest time; those that died while they waited are forgotten. */
  const takeIdle = (): ImportProcess | undefined => {
    let taken = idle.pop();
    while (taken?.isAlive() === false) taken = idle.pop();
    return taken;
  };

  const assertOpen = (): void => {
    if (isClosed) throw new DomainError("UNREACHABLE", "this gateway is stopping");
  };

  const inFolder = async function* (work: Work, signal: AbortSignal): Outcomes {
    assertOpen();
    const folder = await createTemporaryFolder("import");
    folders.add(folder);
    try {
      assertOpen();
      const worker = takeIdle() ?? start();
      try {
        const begin = (limited: AbortSignal) => worker.outcomes({ kind: "import", folder, ...work }, limited);
        return yield* within(options.maxFileSeconds, signal, begin);
      } finally {
        if (worker.isAlive()) idle.push(worker);
      }
    } finally {
      await removeTemporaryFolder(folder);
      folders.delete(folder);
    }
  };

  const attempt = async function* (work: Work, signal: AbortSignal): Outcomes {
    const endTurn = await turns.take(signal);
    try {
      return yield* inFolder(work, signal);
    } finally {
      endTurn();
    }
  };

  /** A try that nothing else takes memory from. */
  const attemptAlone = async function* (work: Work, signal: AbortSignal): Outcomes {
    const endTurn = await turns.takeAll(signal);
    try {
      await Promise.all(idle.splice(0).map((worker) => worker.end()));
      return yield* inFolder(work, signal);
    } finally {
      endTurn();
    }
  };

  return {
    async *run(job, signal) {
      assertNotAborted(signal);
      const first = yield* attempt({ job, nDone: 0 }, signal);
      if (first === undefined) return;
      const second = yield* attemptAlone({ job, nDone: first.nGiven }, signal);
      if (second !== undefined) yield outcomeOfDeath(second);
    },
    async close() {
      isClosed = true;
      await Promise.all([...all].map((worker) => worker.end()));
      await Promise.all([...folders].map(removeTemporaryFolder));
    },
  };
}

type Outcomes = AsyncGenerator<ImportOutcome, ImportProcessDeath | undefined>;

/** The outcomes of a file; when they take longer than `seconds`, that is the last of them. */
async function* within(seconds: number, signal: AbortSignal, begin: (signal: AbortSignal) => Outcomes): Outcomes {
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort(), seconds * 1000);
  try {
    return yield* begin(AbortSignal.any([signal, limit.signal]));
  } catch (error) {
    if (signal.aborted || !limit.signal.aborted) throw error;
    yield { kind: "error", code: "RESOURCE_EXHAUSTED", message: `the file took more than ${seconds} s to import` };
    return undefined;
  } finally {
    clearTimeout(timer);
  }
}

/** A job and how many of its bags were given before. */
interface Work {
  readonly job: ImportJob;
  readonly nDone: number;
}

/**
 * What is said of a file that cost two processes.
 *
 * @throws {DomainError} `UNREACHABLE` when the file did not reach the second.
 */
function outcomeOfDeath({ how }: ImportProcessDeath): ImportOutcome {
  if (how === undefined) throw new DomainError("UNREACHABLE", "the import process could not be told of the file");
  if (MEMORY_SIGNALS.includes(how)) {
    const message = `the system ended the import process (${how}) twice while it read the file, probably for want of memory`;
    return { kind: "error", code: "OUT_OF_MEMORY", message };
  }
  return { kind: "error", code: "INTERNAL", message: `the import process ended (${how}) twice while it read the file` };
}
