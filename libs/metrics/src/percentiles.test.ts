import { describe, expect, it } from "vitest";
import { percentilesOf } from "./percentiles.ts";

describe("percentilesOf", () => {
  it("gives equal values one percentile and stays inside (0, 1)", () => {
    expect([...percentilesOf(Float32Array.of(3, 1, 3, 2))]).toEqual([0.75, 0.125, 0.75, 0.375]);
    expect([...percentilesOf(Float32Array.of(7, 7))]).toEqual([0.5, 0.5]);
    expect([...percentilesOf([-4])]).toEqual([0.5]);
  });
});
