import type { CapturedGraph } from "@parfocal/tensor";

/** Element types that cross the engine's boundary. `f16` and `u16` travel as 2-byte words. */
export type ElementType = "f32" | "f16" | "i32" | "i64" | "u8" | "u16" | "bool";

/** A dense tensor in this process, row-major, little endian. `data.byteLength` equals the product of the shape × width. */
export interface HostTensor {
  readonly dtype: ElementType;
  readonly shape: readonly number[];
  readonly data: Uint8Array;
}

/** Where the engine takes an input from. Only small tensors travel inline: the rest the engine fetches by itself. */
export type TensorSource =
  /** Bytes in the request. */
  | { readonly kind: "inline"; readonly tensor: HostTensor }
  /**
   * Bytes of an object in the store, read (and kept, within the cache budget) by the engine process. `f16` is widened
   * to `f32` exactly when the graph asks for `f32`.
   */
  | {
      readonly kind: "object";
      readonly key: string;
      /** Version of the object that was validated; another one is `PRECONDITION_FAILED`. */
      readonly etag: string;
      readonly offsetBytes: number;
      readonly dtype: ElementType;
      readonly shape: readonly number[];
      /**
       * What the whole object must be, checked at the first use of this version, beside the run; another digest is `CORRUPT`,
       * and nothing of what the run made is told or kept. Absent: the store is trusted.
       */
      readonly verify?: { readonly digest: string; readonly sizeBytes: number };
    }
  /** A tensor an earlier run left in the engine process. Missing (the process was restarted) is `STATE_LOST`. */
  | { readonly kind: "resident"; readonly name: string }
  /**
   * Uniform 16-bit words from a counter-based generator (AES-128-CTR keyed by `seed`, counter from `stream`): the same
   * (seed, stream, shape) gives the same words on every machine, whatever ran before.
   */
  | { readonly kind: "random"; readonly seed: bigint; readonly stream: bigint; readonly shape: readonly number[] };

/** Where the engine puts an output. Outputs that are not named are not computed further than the graph forces. */
export type TensorSink =
  /** Back to the caller. */
  | { readonly kind: "inline" }
  /**
   * Kept in the engine process under this name, replacing what was there. With `rows`, the output [`count`, ...] f32 becomes those
   * rows of a tensor of `total` rows, which the run whose `first` is 0 makes: parts end up end to end without ever being joined.
   */
  | { readonly kind: "resident"; readonly name: string; readonly rows?: OutputRows }
  /**
   * Into the store, by the engine process: `before`, the output of this `shape`, `after`, as one object named after its content,
   * `<keyPrefix>/<sha256><keySuffix>`, unless it is there. f32 must be finite, else `NON_FINITE` and nothing is written.
   */
  | {
      readonly kind: "object";
      readonly keyPrefix: string;
      readonly keySuffix: string;
      readonly shape: readonly number[];
      readonly before: Uint8Array;
      readonly after: Uint8Array;
    };

/** An object that a run left in the store. */
export interface WrittenObject {
  readonly key: string;
  /** SHA-256 of the whole object, 64 hexadecimal digits. */
  readonly digest: string;
  readonly sizeBytes: number;
}

/** Which rows of a larger tensor an output is. */
export interface OutputRows {
  readonly first: number;
  readonly count: number;
  readonly total: number;
}

/** One run of one graph. */
export interface RunRequest {
  readonly graph: CapturedGraph;
  readonly feeds: Readonly<Record<string, TensorSource>>;
  readonly fetches: Readonly<Record<string, TensorSink>>;
}

/** What came back of one run. */
export interface RunResult {
  /** The inline outputs by name. */
  readonly outputs: Readonly<Record<string, HostTensor>>;
  /** What went into the store, by the name of the output; absent when nothing did. */
  readonly objects?: Readonly<Record<string, WrittenObject>>;
  /** Time inside the runtime alone, milliseconds. */
  readonly engineMs: number;
}

/** Options of a call. */
export interface EngineCallOptions {
  /** Firing kills the engine process if the run is in it, and the process comes back within a second. */
  readonly signal?: AbortSignal;
}

/** A device of this machine as `doctor` shows it. */
export interface DeviceInfo {
  /** `cpu`, `cuda:0`, `webgpu`. */
  readonly name: string;
  readonly isAvailable: boolean;
  /** Why it is not, or what it is (model, memory). */
  readonly detail: string;
}

/** Counters of an engine, for metrics. Those of the process are as of its last answer. */
export interface EngineStats {
  /** The engine process, for operators; `undefined` before it could be started. */
  readonly pid: number | undefined;
  /** Requests waiting behind the one in the process. */
  readonly queued: number;
  readonly isBusy: boolean;
  /** Runs finished since the engine was created. */
  readonly runs: number;
  /** Time inside the runtime of those runs, milliseconds. */
  readonly engineMs: number;
  /** Processes that were started because the one before was killed or ended. */
  readonly respawns: number;
  /** Processes that were replaced because of their age. */
  readonly recycles: number;
  readonly sessions: number;
  /** Sessions created since the engine was; runs less these found theirs. */
  readonly sessionsCreated: number;
  readonly cachedBytes: number;
  /** Stored tensors that were kept from an earlier run, and those that had to be read, since the engine was created. */
  readonly cacheHits: number;
  readonly cacheMisses: number;
  /** Bytes between the engine process and the store since the engine was created. */
  readonly storeReadBytes: number;
  readonly storeWrittenBytes: number;
  readonly residentTensors: number;
  readonly residentBytes: number;
}

/**
 * One device, one child process, one queue. The calling process never blocks: its event loop stays free for health,
 * progress and cancellation while graphs run.
 *
 * Failures are typed and belong to one request: `CANCELLED`, `DEADLINE_EXCEEDED`, `OUT_OF_MEMORY`, `ENGINE_CRASHED`,
 * `STATE_LOST`, `SHAPE_MISMATCH`, `NOT_FOUND` and the store's own. Requests that waited in the queue run on the new process.
 */
export interface Engine {
  /** The device it runs on. Until {@link Engine.ready}, `auto` stands for the one yet to be found. */
  readonly device: string;
  /**
   * Waits until the process can run graphs. Runs wait by themselves: this is for finding out at start.
   *
   * @throws {DomainError} DEVICE_MISSING when the device asked for cannot run here
   * @throws {DomainError} ENGINE_CRASHED when the process ended instead
   */
  ready(options?: EngineCallOptions): Promise<void>;
  /** Counters as they are now. */
  stats(): EngineStats;
  /**
   * Runs graphs one after the other in one message (a training epoch's steps, say), giving each one's result in order.
   * The first failure ends the sequence; what ran before it has happened (resident tensors stay replaced).
   */
  run(requests: readonly RunRequest[], options?: EngineCallOptions): Promise<readonly RunResult[]>;
  /** Puts tensors into the engine process under their names. */
  setResident(tensors: Readonly<Record<string, HostTensor>>, options?: EngineCallOptions): Promise<void>;
  /** Copies resident tensors out. `STATE_LOST` when one is missing. */
  getResident(names: readonly string[], options?: EngineCallOptions): Promise<Readonly<Record<string, HostTensor>>>;
  /** Forgets resident tensors whose names begin with `prefix`. Never refused because the queue is full. */
  dropResident(prefix: string): Promise<void>;
  /** Ends the process, after the run in it if `drain`. */
  close(options?: { readonly drain?: boolean }): Promise<void>;
}

/** What a training asks of whatever computes its steps. */
export type StepEngine = Pick<Engine, "run" | "setResident" | "getResident" | "dropResident">;
