import { availableParallelism } from "node:os";
import { DomainError } from "@parfocal/errors";
import type { StoreOptions } from "@parfocal/store";

/** How the engine process opens the object store by itself: the arguments of `openStore`. */
export interface StoreConfig {
  /** `s3://bucket/prefix` or `file:///folder`. */
  readonly uri: string;
  readonly options?: StoreOptions;
}

/** Settings of an engine. */
export interface EngineOptions {
  /**
   * `cpu`, `cuda:N`, `webgpu` or `auto` (CUDA when it works, else the CPU). Default `cpu`: results that do not depend on
   * where a test runs. One asked for by name and missing is `DEVICE_MISSING`.
   */
  readonly device?: string;
  /** Threads of one run. Default: all that this process may use, as one engine runs one graph at a time. */
  readonly intraOpThreads?: number;
  /**
   * Bytes of store objects kept ready to feed. Default 1 GiB (25 bags of 10 000 × 1 024
   * f32) and at most a quarter of `memoryLimitBytes`. 0 keeps none.
   */
  readonly cacheBytes?: number;
  /**
   * Whether threads of a run spin while they wait for each other. Default false: spinning makes operations of 0.2 ms 10 %
   * faster on idle cores and all of them 2 to 4 times slower on shared ones. Either way they sleep between runs.
   */
  readonly allowSpinning?: boolean;
  /** Sessions kept; the least recently used goes first. Default 32: a dozen models with two stages each, and trainers. */
  readonly maxSessions?: number;
  /**
   * Sessions created after which the process is replaced when it is idle and holds no resident tensors, as the runtime
   * leaks a little at each load and release. Default 500.
   */
  readonly recycleAfterSessions?: number;
  /** Resident memory of the engine process beyond which it is `OUT_OF_MEMORY`. Default: what the machine gives. */
  readonly memoryLimitBytes?: number;
  /** Where model files are kept. Default: a folder of its own under the system's, removed on close. */
  readonly scratchDir?: string;
  /** Needed by `object` sources alone. */
  readonly store?: StoreConfig;
  /** Requests that may wait behind the one in the process. Default 256; one more is `RESOURCE_EXHAUSTED`. */
  readonly maxQueue?: number;
  /**
   * How long a cancelled sequence may take to stop between two of its runs, which keeps the resident tensors, before the
   * process is killed, which loses them. Default 250 ms: several training steps, and a quarter of the promised second.
   */
  readonly cancelGraceMs?: number;
  /** How long a process may take to be ready. Default 60 s: a cold CUDA context on a slow disk. */
  readonly startTimeoutMs?: number;
}

/** What the engine process is told at its start. */
export interface ChildOptions {
  readonly device: string;
  readonly intraOpThreads: number;
  readonly cacheBytes: number;
  readonly maxSessions: number;
  readonly allowSpinning: boolean;
  /** Where tensors too large for a message pass through. */
  readonly transferDir: string;
  readonly store?: StoreConfig;
}

/** Options with every default filled in. */
export interface ResolvedEngineOptions extends Omit<ChildOptions, "transferDir"> {
  readonly recycleAfterSessions: number;
  readonly memoryLimitBytes: number;
  readonly scratchDir?: string;
  readonly maxQueue: number;
  readonly cancelGraceMs: number;
  readonly startTimeoutMs: number;
}

/**
 * Fills in the defaults and checks the bounds.
 *
 * @throws {DomainError} INVALID_ARGUMENT naming the option, its value and the bound
 */
export function resolveEngineOptions(options: EngineOptions): ResolvedEngineOptions {
  return {
    device: deviceName(options.device ?? "cpu"),
    intraOpThreads: whole("intraOpThreads", options.intraOpThreads ?? availableParallelism(), 1),
    cacheBytes: whole("cacheBytes", options.cacheBytes ?? defaultCacheBytes(options), 0),
    maxSessions: whole("maxSessions", options.maxSessions ?? 32, 1),
    allowSpinning: options.allowSpinning ?? false,
    recycleAfterSessions: whole("recycleAfterSessions", options.recycleAfterSessions ?? 500, 1),
    memoryLimitBytes: whole("memoryLimitBytes", options.memoryLimitBytes ?? Number.MAX_SAFE_INTEGER, 2 ** 28),
    maxQueue: whole("maxQueue", options.maxQueue ?? 256, 0),
    cancelGraceMs: whole("cancelGraceMs", options.cancelGraceMs ?? 250, 0),
    startTimeoutMs: whole("startTimeoutMs", options.startTimeoutMs ?? 60_000, 1),
    ...(options.scratchDir === undefined ? {} : { scratchDir: options.scratchDir }),
    ...(options.store === undefined ? {} : { store: options.store }),
  };
}

function defaultCacheBytes({ memoryLimitBytes = Number.POSITIVE_INFINITY }: EngineOptions): number {
  return Math.floor(Math.min(2 ** 30, memoryLimitBytes / 4));
}

function deviceName(name: string): string {
  if (/^(cpu|webgpu|auto|cuda:\d{1,2})$/.test(name)) return name;
  throw new DomainError("INVALID_ARGUMENT", `device is "${name}", not one of cpu, cuda:N, webgpu, auto`);
}

function whole(field: string, value: number, least: number): number {
  if (Number.isSafeInteger(value) && value >= least) return value;
  throw new DomainError("INVALID_ARGUMENT", `${field} is ${value}, not a whole number of at least ${least}`);
}
