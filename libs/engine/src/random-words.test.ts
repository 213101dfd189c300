import { createCipheriv, createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { createRandomWords } from "./random-words.ts";

describe("random words", () => {
  it("are encrypted counter blocks, as the contract says", () => {
    const seed = Buffer.from("000000000000002a", "hex");
    const key = createHash("sha256").update("parfocal words 1").update(seed).digest().subarray(0, 16);
    const block = createCipheriv("aes-128-ecb", key, null).update(
      Buffer.from("00000000000000070000000000000000", "hex"),
    );
    const words = createRandomWords({ seed: 42n, stream: 7n, shape: [8] });
    expect([...words]).toEqual(Array.from({ length: 8 }, (_, i) => block.readUInt16LE(i * 2)));
  });

  it("are the same numbers on every machine", () => {
    expect([...createRandomWords({ seed: 1n, stream: 2n, shape: [4] })]).toEqual([53445, 14622, 20989, 38811]);
  });

  it("begin with the words of a smaller shape", () => {
    const many = createRandomWords({ seed: 5n, stream: 0n, shape: [3, 1001] });
    const few = createRandomWords({ seed: 5n, stream: 0n, shape: [17] });
    expect([...many.subarray(0, 17)]).toEqual([...few]);
  });

  it("differ between streams and between seeds", () => {
    const base = createRandomWords({ seed: 5n, stream: 0n, shape: [64] });
    for (const other of [
      { seed: 5n, stream: 1n },
      { seed: 6n, stream: 0n },
    ]) {
      const words = createRandomWords({ ...other, shape: [64] });
      expect(words.filter((word, i) => word === base[i]).length).toBeLessThan(4);
    }
  });

  it("are uniform to within four standard errors", () => {
    const words = createRandomWords({ seed: 9n, stream: 9n, shape: [1 << 20] });
    const mean = words.reduce((sum, word) => sum + word, 0) / words.length;
    const standardError = 65536 / Math.sqrt(12 * words.length);
    expect(Math.abs(mean - 32767.5)).toBeLessThan(4 * standardError);
  });

  it("may be none", () => {
    expect(createRandomWords({ seed: 0n, stream: 0n, shape: [0, 5] }).length).toBe(0);
  });

  it("refuse seeds and streams that are no 64-bit words", () => {
    expect(() => createRandomWords({ seed: -1n, stream: 0n, shape: [1] })).toThrow(
      /seed must be from 0 to 18446744073709551615, got -1/,
    );
    expect(() => createRandomWords({ seed: 0n, stream: 1n << 64n, shape: [1] })).toThrow(/stream must be from 0/);
  });
});
