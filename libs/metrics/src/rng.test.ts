import { DomainError } from "@parfocal/errors";
import { describe, expect, it } from "vitest";
import { createRng, restoreRng } from "./rng.ts";

/** xoshiro128** written again from its definition, in big integers: the oracle of the fast one. */
function* plainXoshiro(words: readonly number[]): Generator<number> {
  const mask = 0xffffffffn;
  const rotate = (x: bigint, k: bigint): bigint => ((x << k) | (x >> (32n - k))) & mask;
  let [s0 = 0n, s1 = 0n, s2 = 0n, s3 = 0n] = words.map(BigInt);
  while (true) {
    yield Number((rotate((s1 * 5n) & mask, 7n) * 9n) & mask);
    const t = (s1 << 9n) & mask;
    s2 ^= s0;
    s3 ^= s1;
    s1 ^= s2;
    s0 ^= s3;
    s2 ^= t;
    s3 = rotate(s3, 11n);
  }
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

describe("createRng", () => {
  it("fills its state with the published SplitMix64 outputs of seed 0", () => {
    // First two outputs of SplitMix64 from state 0: e220a8397b1dcdaf, 6e789e6aa1b965f4.
    expect(createRng(0n).snapshot().words).toEqual([0x7b1dcdaf, 0xe220a839, 0xa1b965f4, 0x6e789e6a]);
  });

  it("follows xoshiro128** from the state [1, 2, 3, 4] of the published test vector", () => {
    const rng = restoreRng({ seed: "0", words: [1, 2, 3, 4] });
    const drawn = Array.from({ length: 10 }, () => rng.nextU32());
    const published = [
      11520, 0, 5927040, 70819200, 2031721883, 1637235492, 1287239034, 3734860849, 3729100597, 4258142804,
    ];
    expect(drawn).toEqual(published);
  });

  it("equals the plain big-integer version over 2 000 words", () => {
    const rng = createRng(0xdeadbeefcafef00dn);
    const oracle = plainXoshiro(rng.snapshot().words);
    for (let i = 0; i < 2000; i += 1) expect(rng.nextU32()).toBe(oracle.next().value);
  });

  it("gives the same draws for the same seed and others for its neighbour", () => {
    const draws = (seed: bigint): number[] => {
      const rng = createRng(seed);
      return Array.from({ length: 8 }, () => rng.nextU32());
    };
    expect(draws(7n)).toEqual(draws(7n));
    expect(draws(7n)).not.toEqual(draws(8n));
  });

  it("refuses a seed that is negative or over 64 bits, naming it", () => {
    expect(() => createRng(-1n)).toThrow(new DomainError("INVALID_ARGUMENT", "seed is -1; it must lie in [0, 2^64)"));
    expect(() => createRng(1n << 64n)).toThrow("18446744073709551616");
  });
});

describe("draws", () => {
  it("nextFloat stays in [0, 1) with mean 1/2 and variance 1/12", () => {
    const rng = createRng(1n);
    const values = Array.from({ length: 20_000 }, () => rng.nextFloat());
    expect(Math.min(...values)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...values)).toBeLessThan(1);
    expect(Math.abs(mean(values) - 0.5)).toBeLessThan(0.01);
    expect(Math.abs(mean(values.map((v) => (v - 0.5) ** 2)) - 1 / 12)).toBeLessThan(0.003);
  });

  it("nextInt is uniform where a plain modulo would not be", () => {
    // 3 * 2^30: modulo would make the lowest third twice as likely.
    const bound = 3 * 2 ** 30;
    const rng = createRng(2n);
    const isLow = Array.from({ length: 12_000 }, () => Number(rng.nextInt(bound) < 2 ** 30));
    expect(Math.abs(mean(isLow) - 1 / 3)).toBeLessThan(0.02);
  });

  it("nextInt passes a chi-squared test on 10 cells", () => {
    const rng = createRng(3n);
    const cells = new Array<number>(10).fill(0);
    for (let i = 0; i < 10_000; i += 1) {
      const cell = rng.nextInt(10);
      cells[cell] = (cells[cell] ?? 0) + 1;
    }
    const chiSquared = cells.reduce((sum, count) => sum + (count - 1000) ** 2 / 1000, 0);
    expect(chiSquared).toBeLessThan(27.9); // p = 0.001 at 9 degrees of freedom
  });

  it.each([0, -1, 1.5, 2 ** 32 + 1, Number.NaN])("nextInt refuses the bound %s", (bound) => {
    expect(() => createRng(1n).nextInt(bound)).toThrow(`bound is ${bound}; it must be an integer in [1, 2^32]`);
  });

  it("normal has mean 0, variance 1, no skew and kurtosis 3", () => {
    const rng = createRng(4n);
    const values = Array.from({ length: 40_000 }, () => rng.normal());
    expect(Math.abs(mean(values))).toBeLessThan(0.02);
    expect(Math.abs(mean(values.map((v) => v ** 2)) - 1)).toBeLessThan(0.03);
    expect(Math.abs(mean(values.map((v) => v ** 3)))).toBeLessThan(0.06);
    expect(Math.abs(mean(values.map((v) => v ** 4)) - 3)).toBeLessThan(0.15);
    expect(values.every(Number.isFinite)).toBe(true);
  });

  it("shuffle permutes in place and reaches all 6 orders of 3 alike", () => {
    const rng = createRng(5n);
    const seen = new Map<string, number>();
    for (let i = 0; i < 6000; i += 1) {
      const order = rng.shuffle([0, 1, 2]).join("");
      seen.set(order, (seen.get(order) ?? 0) + 1);
    }
    expect(seen.size).toBe(6);
    for (const count of seen.values()) expect(Math.abs(count - 1000)).toBeLessThan(120);
  });
});

describe("fork and snapshot", () => {
  it("a fork depends on seed and label, not on what was drawn before", () => {
    const fresh = createRng(9n);
    const used = createRng(9n);
    for (let i = 0; i < 100; i += 1) used.nextU32();
    expect(used.fork("dropout").nextU32()).toBe(fresh.fork("dropout").nextU32());
  });

  it("forks of different labels, and of different seeds, are uncorrelated", () => {
    const draw = (seed: bigint, label: string): number[] => {
      const rng = createRng(seed).fork(label);
      return Array.from({ length: 4000 }, () => rng.nextFloat() - 0.5);
    };
    const base = draw(1n, "a");
    for (const other of [draw(1n, "b"), draw(2n, "a")]) {
      const correlation = mean(base.map((v, i) => v * (other[i] ?? 0))) * 12;
      expect(Math.abs(correlation)).toBeLessThan(0.06);
    }
  });

  it("a snapshot through JSON continues the stream bit for bit", () => {
    const rng = createRng(11n);
    for (let i = 0; i < 17; i += 1) rng.nextU32();
    const restored = restoreRng(JSON.parse(JSON.stringify(rng.snapshot())) as ReturnType<typeof rng.snapshot>);
    expect(Array.from({ length: 50 }, () => restored.nextU32())).toEqual(
      Array.from({ length: 50 }, () => rng.nextU32()),
    );
    expect(restored.fork("x").nextU32()).toBe(rng.fork("x").nextU32());
  });

  it("refuses a state that is all zero, in which the generator would be stuck", () => {
    expect(() => restoreRng({ seed: "1", words: [0, 0, 0, 0] })).toThrow("not all zero");
  });
});
