import { Worker } from "node:worker_threads";
import { abortErrorFromSignal, DomainError } from "@parfocal/errors";
import type { ImportProgress, ImportReply, ImportRequest } from "./import-messages.ts";

/** A thread that imports one file at a time. */
export interface ImportThread {
  /**
   * Sends a request and waits for its answer.
   *
   * @throws {DomainError} CANCELLED or DEADLINE_EXCEEDED when `signal` fires; CORRUPT when the thread dies of the file or is
   * caught in it. The thread is then to be ended.
   */
  readonly ask: (request: ImportRequest, signal: AbortSignal | undefined) => Promise<ImportReply>;
  /** Puts the thread aside for the next import; an idle thread does not keep the process alive. */
  readonly release: () => void;
  /** Ends the thread whatever it is doing. */
  readonly end: () => Promise<void>;
}

/**
 * How long a file in memory may take: damaged HDF5 can send its library round in circles for ever. The slowest honest
 * file, text, is parsed at some 20 MB/s on a machine that does nothing else; a fifth of that is allowed.
 */
const PARSE_BASE_MS = 30_000;
const PARSE_BYTES_PER_MS = 4_000;

/** Imports after which a thread is replaced: memory that WebAssembly has taken is only given back with it. */
const MAX_USES = 64;

/** Starting a thread and its WebAssembly takes about 0.2 s, so one is kept for the next file. */
let idle: { worker: Worker; nUses: number } | undefined;

/** Takes the idle thread or starts one. Give it back by `release` after a whole import, else call `end`. */
export function acquireImportThread(parseBaseMs = PARSE_BASE_MS): ImportThread {
  const { worker, nUses } = idle ?? { worker: startWorker(), nUses: 0 };
  idle = undefined;
  worker.ref();
  const end = async () => void (await worker.terminate());
  const release = () => {
    if (idle !== undefined || nUses + 1 >= MAX_USES) return void end();
    worker.unref();
    idle = { worker, nUses: nUses + 1 };
  };
  return { ask: (request, signal) => ask(worker, request, { signal, parseBaseMs }), release, end };
}

function startWorker(): Worker {
  const worker = new Worker(new URL("./import-worker.ts", import.meta.url));
  // A thread that dies while idle must not be handed out.
  worker.on("exit", () => {
    if (idle?.worker === worker) idle = undefined;
  });
  return worker;
}

interface AskOptions {
  readonly signal: AbortSignal | undefined;
  readonly parseBaseMs: number;
}

function ask(worker: Worker, request: ImportRequest, { signal, parseBaseMs }: AskOptions): Promise<ImportReply> {
  const { promise, resolve, reject } = Promise.withResolvers<ImportReply>();
  let timer: NodeJS.Timeout | undefined;
  const watch = (sizeBytes: number) => {
    const limitMs = parseBaseMs + sizeBytes / PARSE_BYTES_PER_MS;
    timer = setTimeout(() => reject(circlesError(limitMs)), limitMs);
  };
  const onMessage = (message: ImportReply | ImportProgress) => {
    if (message.kind === "read") watch(message.sizeBytes);
    else resolve(message);
  };
  const onAbort = () => signal && reject(abortErrorFromSignal(signal));
  const onError = (cause: Error) => reject(deathError(cause));
  const onExit = () => reject(deathError(undefined));
  worker.on("message", onMessage).on("error", onError).on("exit", onExit);
  signal?.addEventListener("abort", onAbort);
  worker.postMessage(request);
  return promise.finally(() => {
    clearTimeout(timer);
    worker.off("message", onMessage).off("error", onError).off("exit", onExit);
    signal?.removeEventListener("abort", onAbort);
  });
}

function deathError(cause: Error | undefined): DomainError {
  const isMemory = (cause as NodeJS.ErrnoException | undefined)?.code === "ERR_WORKER_OUT_OF_MEMORY";
  return isMemory
    ? new DomainError("OUT_OF_MEMORY", "the importer ran out of memory", { cause })
    : new DomainError("CORRUPT", "the importer died of this file", { cause });
}

function circlesError(limitMs: number): DomainError {
  const seconds = Math.round(limitMs / 1000);
  return new DomainError("CORRUPT", `the file could not be parsed within ${seconds} s: it leads its reader in circles`);
}
