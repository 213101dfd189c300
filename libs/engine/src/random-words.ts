import { createCipheriv, createHash, createSecretKey, type KeyObject } from "node:crypto";
import { DomainError } from "@parfocal/errors";
import { elementCount } from "./element-types.ts";

const WORD_LIMIT = 1n << 64n;

/** Which words {@link createRandomWords} gives. */
export interface RandomWordsOptions {
  /** 0 to 2^64 - 1. */
  readonly seed: bigint;
  /** 0 to 2^64 - 1: independent sequences of one seed (a training step's number, say). */
  readonly stream: bigint;
  readonly shape: readonly number[];
}

/**
 * Uniform 16-bit words, little endian, `product(shape)` of them: the AES-128-CTR keystream whose key is the first half
 * of SHA-256("parfocal words 1" ‖ seed as 8 bytes big endian) and whose counter block starts at `stream` (8 bytes big
 * endian) followed by 8 zero bytes. Counter-based, so any stream can be had without the ones before it and the same
 * arguments give the same words on every machine; two streams of a seed cannot overlap within 2^64 blocks.
 *
 * @throws {DomainError} INVALID_ARGUMENT when seed or stream is outside 0 to 2^64 - 1
 */
export function createRandomWords(options: RandomWordsOptions): Uint16Array<ArrayBuffer> {
  const counter = Buffer.concat([bytesFromWord("stream", options.stream), Buffer.alloc(8)]);
  const cipher = createCipheriv("aes-128-ctr", keyFromSeed(options.seed), counter);
  const zeros = Buffer.alloc(elementCount(options.shape) * 2);
  // `update` may hand out a slice of a pool: the copy is aligned and owns its memory.
  return new Uint16Array(new Uint8Array(cipher.update(zeros)).buffer);
}

/** The last seed's key: a training asks for thousands of streams of one seed, and making a key takes longer than a small one. */
let lastKey: { readonly seed: bigint; readonly key: KeyObject } | undefined;

function keyFromSeed(seed: bigint): KeyObject {
  if (lastKey?.seed === seed) return lastKey.key;
  const digest = createHash("sha256").update("parfocal words 1").update(bytesFromWord("seed", seed)).digest();
  const key = createSecretKey(digest.subarray(0, 16));
  lastKey = { seed, key };
  return key;
}

function bytesFromWord(field: string, value: bigint): Buffer {
  if (value < 0n || value >= WORD_LIMIT) {
    throw new DomainError("INVALID_ARGUMENT", `${field} must be from 0 to ${WORD_LIMIT - 1n}, got ${value}`);
  }
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(value);
  return bytes;
}
