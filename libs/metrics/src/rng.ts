/**
 * The one random number generator of Parfocal: every shuffle, split, weight, mask and resample draws from it.
 *
 * Algorithm: xoshiro128** 1.1 (period 2^128 - 1, 32-bit words, so it is exact in JavaScript integers), its state filled by
 * SplitMix64 from a 64-bit seed. Same seed, same draws, on every machine.
 * Source: Blackman & Vigna 2021, "Scrambled linear pseudorandom number generators" (xoshiro128**); Steele, Lea & Flood
 * 2014 (SplitMix64); Fowler-Noll-Vo 1a, 64 bit, for labels of forks.
 */
import { DomainError } from "@parfocal/errors";

/** Seeds are unsigned 64-bit. */
const SEED_LIMIT = 1n << 64n;
const MASK_64 = SEED_LIMIT - 1n;
const TWO_32 = 2 ** 32;
const TWO_53 = 2 ** 53;

/** A deterministic stream of random numbers. Drawing advances it; {@link Rng.fork} does not. */
export interface Rng {
  /** The next word, uniform in [0, 2^32). */
  nextU32(): number;
  /** Uniform in [0, 1) with all 53 bits of a double. Takes two words. */
  nextFloat(): number;
  /**
   * Uniform integer in [0, bound), without modulo bias (draws again in the biased tail).
   *
   * @throws {DomainError} `INVALID_ARGUMENT` unless `bound` is an integer in [1, 2^32].
   */
  nextInt(bound: number): number;
  /** Standard normal by Box-Muller, cosine branch. Takes four words; keeps no spare, so the state is the whole truth. */
  normal(): number;
  /** Fisher-Yates in place; every order is equally likely. Returns the same array. */
  shuffle<T extends Shuffleable>(values: T): T;
  /**
   * A stream of its own for `label`. Depends on this generator's seed and the label alone, not on how much was drawn, so
   * adding draws in one place leaves every other place unchanged. The same label twice gives the same stream.
   */
  fork(label: string): Rng;
  /** The four words of the state and the seed that forks derive from: what a checkpoint stores. */
  snapshot(): RngSnapshot;
}

/** What {@link Rng.shuffle} takes: anything indexed whose entries may be swapped. */
export type Shuffleable = unknown[] | Float32Array | Float64Array | Int32Array | Uint32Array | Uint8Array;

/** A generator at rest: JSON-safe, restores bit for bit. */
export interface RngSnapshot {
  /** Seed in decimal digits (64 bits do not fit a JSON number). */
  readonly seed: string;
  /** The four 32-bit words of xoshiro128**, not all zero. */
  readonly words: readonly [number, number, number, number];
}

/**
 * A generator at the start of the stream of `seed`.
 *
 * @throws {DomainError} `INVALID_ARGUMENT` unless `seed` is in [0, 2^64).
 */
export function createRng(seed: bigint): Rng {
  if (seed < 0n || seed >= SEED_LIMIT) {
    throw new DomainError("INVALID_ARGUMENT", `seed is ${seed}; it must lie in [0, 2^64)`);
  }
  return new Xoshiro128(seed, wordsFromSeed(seed));
}

/**
 * The generator that {@link Rng.snapshot} was taken of, at the same place in its stream.
 *
 * @throws {DomainError} `INVALID_ARGUMENT` when the words are not four unsigned 32-bit integers, or all zero.
 */
export function restoreRng(snapshot: RngSnapshot): Rng {
  const { words } = snapshot;
  const areWords = words.length === 4 && words.every((word) => Number.isInteger(word) && word >= 0 && word < TWO_32);
  if (!areWords || words.every((word) => word === 0)) {
    throw new DomainError(
      "INVALID_ARGUMENT",
      `generator state is [${words.join(", ")}]; it must be four integers in [0, 2^32), not all zero`,
    );
  }
  return new Xoshiro128(BigInt(snapshot.seed), Uint32Array.from(words));
}

class Xoshiro128 implements Rng {
  readonly #seed: bigint;
  readonly #s: Uint32Array;

  constructor(seed: bigint, words: Uint32Array) {
    this.#seed = seed;
    this.#s = words;
  }

  nextU32(): number {
    const s = this.#s;
    const s1 = s[1] ?? 0;
    const result = Math.imul(rotateLeft(Math.imul(s1, 5), 7), 9) >>> 0;
    // Writes into the typed array wrap modulo 2^32, as the algorithm wants.
    s[2] = (s[2] ?? 0) ^ (s[0] ?? 0);
    s[3] = (s[3] ?? 0) ^ s1;
    s[1] = s1 ^ (s[2] ?? 0);
    s[0] = (s[0] ?? 0) ^ (s[3] ?? 0);
    s[2] = (s[2] ?? 0) ^ (s1 << 9);
    s[3] = rotateLeft(s[3] ?? 0, 11);
    return result;
  }

  nextFloat(): number {
    const high = this.nextU32() >>> 5;
    const low = this.nextU32() >>> 6;
    return (high * 2 ** 26 + low) / TWO_53;
  }

  nextInt(bound: number): number {
    if (!Number.isInteger(bound) || bound < 1 || bound > TWO_32) {
      throw new DomainError("INVALID_ARGUMENT", `bound is ${bound}; it must be an integer in [1, 2^32]`);
    }
    const fairLimit = TWO_32 - (TWO_32 % bound);
    let word = this.nextU32();
    while (word >= fairLimit) word = this.nextU32();
    return word % bound;
  }

  normal(): number {
    // 1 - u lies in (0, 1], so the logarithm is finite.
    const radius = Math.sqrt(-2 * Math.log(1 - this.nextFloat()));
    return radius * Math.cos(2 * Math.PI * this.nextFloat());
  }

  shuffle<T extends Shuffleable>(values: T): T {
    for (let last = values.length - 1; last > 0; last -= 1) {
      const other = this.nextInt(last + 1);
      const kept = values[last];
      values[last] = values[other];
      values[other] = kept;
    }
    return values;
  }

  fork(label: string): Rng {
    return createRng(mix64((mix64(this.#seed) ^ fnv1a64(label)) & MASK_64));
  }

  snapshot(): RngSnapshot {
    const [a = 0, b = 0, c = 0, d = 0] = this.#s;
    return { seed: this.#seed.toString(), words: [a, b, c, d] };
  }
}

function rotateLeft(word: number, bits: number): number {
  return (word << bits) | (word >>> (32 - bits));
}

/** Two SplitMix64 outputs as four words. SplitMix64 is a bijection of a counter, so they are never all zero. */
function wordsFromSeed(seed: bigint): Uint32Array {
  const first = mix64(seed);
  const second = mix64((seed + GOLDEN_GAMMA) & MASK_64);
  return Uint32Array.of(...[first, first >> 32n, second, second >> 32n].map((word) => Number(word & 0xffffffffn)));
}

/** 2^64 divided by the golden ratio, odd: SplitMix64's counter step. */
const GOLDEN_GAMMA = 0x9e3779b97f4a7c15n;

/** SplitMix64's output for the counter value `state`. */
function mix64(state: bigint): bigint {
  let z = (state + GOLDEN_GAMMA) & MASK_64;
  z = ((z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n) & MASK_64;
  z = ((z ^ (z >> 27n)) * 0x94d049bb133111ebn) & MASK_64;
  return z ^ (z >> 31n);
}

function fnv1a64(text: string): bigint {
  let hash = 0xcbf29ce484222325n;
  for (const byte of new TextEncoder().encode(text)) hash = ((hash ^ BigInt(byte)) * 0x100000001b3n) & MASK_64;
  return hash;
}
