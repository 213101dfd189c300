import { DomainError, type DomainErrorCode } from "@parfocal/errors";
import { expect } from "vitest";
import type { StoreTraits } from "./store-contract.ts";

/** Bytes of a text. */
export const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

/** The text of bytes. */
export const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

/** Bytes that differ everywhere, so that parts in the wrong order are noticed: a linear congruential sequence. */
export function patternBytes(nBytes: number, seed = 1): Uint8Array {
  const words = new Uint32Array(Math.ceil(nBytes / 4));
  let state = seed;
  for (let index = 0; index < words.length; index += 1) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    words[index] = state;
  }
  return new Uint8Array(words.buffer, 0, nBytes);
}

/** Whether two byte strings are equal, without the differ of `expect`, which takes minutes on megabytes. */
export function isEqual(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

/** All chunks of a stream in one. */
export async function collect(chunks: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const chunk of chunks) parts.push(chunk);
  return Buffer.concat(parts);
}

/** Bytes as a stream of chunks. */
export async function* streamOf(bytes: Uint8Array, chunkBytes: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += chunkBytes) yield bytes.subarray(at, at + chunkBytes);
}

/** Expects a `DomainError` of one code, and gives it. */
export async function expectCode(work: Promise<unknown>, code: DomainErrorCode): Promise<DomainError> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(DomainError);
  if (!(error instanceof DomainError)) throw error;
  expect(error.code).toBe(code);
  return error;
}

/** The keys that a listing gives, in its order: by UTF-8 bytes; `belowObjects` as in the traits of a store. */
export function listedKeys(keys: readonly string[], { belowObjects }: Pick<StoreTraits, "belowObjects">): string[] {
  const isBelow = (key: string) => keys.some((other) => key.startsWith(`${other}/`));
  const listed = keys.filter((key) => belowObjects !== "hidden" || !isBelow(key));
  return listed.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}

/** Those of `keys` that a store takes together: all of them, or where it refuses keys below objects the lowest ones. */
export function keysTogether(keys: readonly string[], { belowObjects }: Pick<StoreTraits, "belowObjects">): string[] {
  const isAbove = (key: string) => keys.some((other) => other.startsWith(`${key}/`));
  return keys.filter((key) => belowObjects !== "refused" || !isAbove(key));
}
