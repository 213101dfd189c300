import { DomainError, type DomainErrorCode } from "@parfocal/errors";
import type { GraphPort } from "@parfocal/tensor";
import type { ChildOptions } from "./engine-options.ts";
import type { TensorSink, TensorSource, WrittenObject } from "./engine-port.ts";
import type { WireTensor } from "./wire-tensor.ts";

/** A graph as the engine process gets it: the model by file, its ports for checks and widening. */
export interface WireGraph {
  readonly digest: string;
  readonly modelPath: string;
  readonly inputs: readonly GraphPort[];
  readonly outputs: readonly GraphPort[];
}

/** Where an input comes from, as the engine process gets it. */
export type WireSource =
  | Exclude<TensorSource, { kind: "inline" }>
  | { readonly kind: "inline"; readonly tensor: WireTensor };

/** An input that the engine process reads from the store. */
export type StoredSource = Extract<WireSource, { readonly kind: "object" }>;

/** One run; `graph` is an index into the message's graphs, so that a thousand runs carry a graph's ports once. */
export interface WireRun {
  readonly graph: number;
  readonly feeds: Readonly<Record<string, WireSource>>;
  readonly fetches: Readonly<Record<string, TensorSink>>;
}

/** Runs that follow each other. */
export interface RunWork {
  readonly kind: "run";
  readonly graphs: readonly WireGraph[];
  readonly runs: readonly WireRun[];
}

/** Work for the engine process: answered by exactly one {@link ChildReply} of the same id. */
export type Work =
  | RunWork
  | { readonly kind: "set"; readonly tensors: Readonly<Record<string, WireTensor>> }
  | { readonly kind: "get"; readonly names: readonly string[] }
  | { readonly kind: "drop"; readonly prefix: string };

/** Parent to child. */
export type ParentMessage =
  | { readonly kind: "start"; readonly options: ChildOptions }
  /** Do this, or what was announced (`work` is absent then). `next` is what will follow, as far as it is known. */
  | { readonly kind: "work"; readonly id: number; readonly work?: Work; readonly next?: RunWork }
  /** What will follow the present work is this, or not known any more: its inputs may be read meanwhile. */
  | { readonly kind: "next"; readonly work?: RunWork }
  /** Stop between two runs, or while waiting for the store. */
  | { readonly kind: "cancel"; readonly id: number };

/** What came back of one run; `outputs` holds the inline ones. */
export interface WireRunResult {
  readonly outputs: Readonly<Record<string, WireTensor>>;
  readonly objects?: Readonly<Record<string, WrittenObject>>;
  readonly engineMs: number;
}

/** What a piece of work gives; the empty list for `set` and `drop`. */
export interface WorkResult {
  readonly runs: readonly WireRunResult[];
  readonly tensors: Readonly<Record<string, WireTensor>>;
}

/** What the engine process counts since it began. */
export interface ChildCounters {
  readonly sessionsCreated: number;
  /** Stored tensors that were kept from an earlier run. */
  readonly cacheHits: number;
  readonly cacheMisses: number;
  readonly storeReadBytes: number;
  readonly storeWrittenBytes: number;
}

/** Counters of the engine process, sent with each reply. */
export interface ChildStats extends ChildCounters {
  readonly sessions: number;
  readonly cachedBytes: number;
  readonly residentTensors: number;
  readonly residentBytes: number;
}

/** A {@link DomainError} as data. */
export interface WireError {
  readonly code: DomainErrorCode;
  readonly message: string;
  readonly details: Readonly<Record<string, string>>;
}

/** Child to parent. */
export type ChildReply =
  | { readonly kind: "ready"; readonly device: string }
  | { readonly kind: "startFailed"; readonly error: WireError }
  | { readonly kind: "done"; readonly id: number; readonly result: WorkResult; readonly stats: ChildStats }
  | { readonly kind: "failed"; readonly id: number; readonly error: WireError; readonly stats: ChildStats };

/** The error as data. */
export function wireFromError(error: DomainError): WireError {
  return { code: error.code, message: error.message, details: error.details };
}

/** The error that the data stand for. */
export function errorFromWire(error: WireError): DomainError {
  return new DomainError(error.code, error.message, { details: error.details });
}
