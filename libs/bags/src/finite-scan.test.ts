import { describe, expect, it } from "vitest";
import { assertAllFinite, isAllFinite } from "./finite-scan.ts";

describe("isAllFinite", () => {
  it("agrees with the definition for every half word", () => {
    for (let word = 0; word < 65_536; word += 1) {
      const isFiniteWord = ((word >> 10) & 31) !== 31;
      expect(isAllFinite({ dtype: "F16", data: new Uint16Array([0, word]) })).toBe(isFiniteWord);
      expect(isAllFinite({ dtype: "F16", data: new Uint16Array([word, 0x7bff]) })).toBe(isFiniteWord);
    }
  });

  it("agrees with Number.isFinite at the edges of F32", () => {
    const words = [
      0, 1, 0x7f7fffff, 0x7f800000, 0x7f800001, 0x7fffffff, 0x80000000, 0xff7fffff, 0xff800000, 0xffffffff,
    ];
    for (const word of words) {
      const data = new Float32Array(Uint32Array.of(0x3f800000, word, 0x3f800000).buffer);
      expect(isAllFinite({ dtype: "F32", data })).toBe(Number.isFinite(data[1]));
    }
  });

  it("looks at odd tails, unaligned halves and later blocks", () => {
    const data = new Uint16Array(100_003);
    data[100_002] = 0x7c00;
    expect(isAllFinite({ dtype: "F16", data })).toBe(false);
    expect(isAllFinite({ dtype: "F16", data: data.subarray(1) })).toBe(false);
    expect(isAllFinite({ dtype: "F16", data: data.subarray(1, 100_000) })).toBe(true);
  });
});

describe("assertAllFinite", () => {
  it("names the first place and counts both kinds", () => {
    const data = new Float32Array(12);
    data[7] = Number.NaN;
    data[8] = Number.POSITIVE_INFINITY;
    expect(() => assertAllFinite({ dtype: "F32", data }, 4)).toThrow(
      "1 NaN and 1 infinite values, the first at row 1, column 3",
    );
    const halves = Uint16Array.of(0, 0xfc00, 0x7e00, 0);
    expect(() => assertAllFinite({ dtype: "F16", data: halves }, 2)).toThrow(
      "1 NaN and 1 infinite values, the first at row 0, column 1",
    );
  });
});
