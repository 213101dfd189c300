import { DomainError, type DomainErrorCode } from "@parfocal/errors";
import type { HostTensor, RunRequest, TensorSource } from "../engine-port.ts";
import { slowGraph } from "./test-graphs.ts";

/** An f32 vector. */
export function f32(values: readonly number[], shape: readonly number[] = [values.length]): HostTensor {
  return { dtype: "f32", shape, data: new Uint8Array(new Float32Array(values).buffer) };
}

/** An i64 scalar or vector. */
export function i64(values: readonly number[], shape: readonly number[] = [values.length]): HostTensor {
  return { dtype: "i64", shape, data: new Uint8Array(new BigInt64Array(values.map(BigInt)).buffer) };
}

/** The numbers of an f32 tensor. */
export function numbersOf(tensor: HostTensor | undefined): number[] {
  if (tensor === undefined) throw new Error("the tensor is missing");
  return [...new Float32Array(tensor.data.slice().buffer)];
}

/** An inline source. */
export function inline(tensor: HostTensor): TensorSource {
  return { kind: "inline", tensor };
}

/** A run that takes about `times` × 6 ms on a core of 2026, and gives numbers that any reordering would change. */
export function slowRun(times: number): RunRequest {
  const n = 640;
  const w = Array.from({ length: n * n }, (_, i) => Math.sin(i * 0.37) / 16);
  return {
    graph: slowGraph(n),
    feeds: { times: inline(i64([times], [])), w: inline(f32(w, [n, n])) },
    fetches: { y: { kind: "inline" } },
  };
}

/** The code of the error that a promise ends with; fails when it does not end with a DomainError. */
export async function codeOf(promise: Promise<unknown>): Promise<DomainErrorCode> {
  return (await errorOf(promise)).code;
}

/** The DomainError that a promise ends with. */
export async function errorOf(promise: Promise<unknown>): Promise<DomainError> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof DomainError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}
