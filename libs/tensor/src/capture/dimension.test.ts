import { describe, expect, it } from "vitest";
import { createSentinels, dimensionFromPair, formatDimension, isSameDimension } from "./dimension.ts";

const sentinels = createSentinels(["N", "B"]);
const at = (recording: 0 | 1) => sentinels.map(({ values }) => values[recording]) as [number, number];
const [[n1, b1], [n2, b2]] = [at(0), at(1)];
const format = (first: number, second: number) => {
  const dimension = dimensionFromPair(first, second, sentinels);
  return dimension === undefined ? undefined : formatDimension(dimension);
};

describe("dimensionFromPair", () => {
  it("takes equal numbers for a static dimension, even at the size of a sentinel", () => {
    expect(format(512, 512)).toBe(512);
    expect(format(n1, n1)).toBe(n1);
  });

  it("explains multiples and offsets of a symbol", () => {
    expect(format(n1, n2)).toBe("N");
    expect(format(n1 + 1, n2 + 1)).toBe("N+1");
    expect(format(n1 - 3, n2 - 3)).toBe("N-3");
    expect(format(512 * n1, 512 * n2)).toBe("512*N");
    expect(format(-n1, -n2)).toBe("-1*N");
  });

  it("explains products and sums of symbols", () => {
    expect(format(b1 * n1, b2 * n2)).toBe("N*B");
    expect(format(n1 * n1 * 8, n2 * n2 * 8)).toBe("8*N*N");
    expect(format(n1 + 2 * b1 + 1, n2 + 2 * b2 + 1)).toBe("N+2*B+1");
  });

  it("explains no root, remainder, rounding or logarithm of a symbol", () => {
    expect(format(Math.ceil(Math.sqrt(n1)), Math.ceil(Math.sqrt(n2)))).toBeUndefined();
    expect(format(Math.floor(n1 / 2), Math.floor(n2 / 2))).toBeUndefined();
    expect(format(Math.floor(Math.log2(n1) * 8), Math.floor(Math.log2(n2) * 8))).toBeUndefined();
  });
});

describe("createSentinels", () => {
  it("gives numbers whose remainders differ for every divisor that models pad to", () => {
    for (const { values } of createSentinels(["a", "b", "c", "d", "e", "f", "g", "h"])) {
      for (let divisor = 2; divisor <= 4096; divisor++) expect(values[0] % divisor).not.toBe(values[1] % divisor);
    }
  });

  it("refuses more symbols than it has numbers for, giving both", () => {
    expect(() => createSentinels(["a", "b", "c", "d", "e", "f", "g", "h", "i"])).toThrow(
      "9 symbolic dimensions; at most 8",
    );
  });
});

describe("isSameDimension", () => {
  it("compares for every value of the symbols", () => {
    expect(isSameDimension(dimensionFromPair(n1, n2, sentinels), dimensionFromPair(n1, n2, sentinels))).toBe(true);
    expect(isSameDimension(dimensionFromPair(n1, n2, sentinels), dimensionFromPair(b1, b2, sentinels))).toBe(false);
  });
});
