import { describe, expect, it } from "vitest";
import {
  formatCount,
  formatEstimate,
  formatInterval,
  formatMetric,
  formatPlural,
  formatShare,
  formatSignificant,
} from "./format.ts";

describe("numbers in reports", () => {
  it("metrics have 3 decimals, a true minus, and a dash for nothing", () => {
    expect([0.86, -0.1, 1, null, undefined, Number.NaN].map(formatMetric)).toEqual([
      "0.860",
      "−0.100",
      "1.000",
      "–",
      "–",
      "–",
    ]);
  });

  it("an estimate carries its interval when it has one", () => {
    const interval = { low: 0.46890283, high: 0.9771375, method: "delong-logit" } as const;
    expect(formatEstimate({ value: 0.86, interval })).toBe("0.860 (0.469 – 0.977)");
    expect(formatEstimate({ value: 0.86, interval: null })).toBe("0.860");
    expect(formatEstimate(undefined)).toBe("–");
    expect(formatInterval(null)).toBe("–");
  });

  it("counts separate thousands and agree with their noun", () => {
    expect([0, 999, 1000, 1234567, -4096].map(formatCount)).toEqual(["0", "999", "1,000", "1,234,567", "−4,096"]);
    expect([formatPlural(1, "slide"), formatPlural(12000, "slide")]).toEqual(["1 slide", "12,000 slides"]);
  });

  it("shares are percentages, and nothing of nothing is a dash", () => {
    expect([formatShare(5, 8), formatShare(0, 0)]).toEqual(["62.5 %", "–"]);
  });

  it("any magnitude keeps 4 digits", () => {
    expect([0.0123456, 1.2e-5, 1234567, 0, Infinity].map(formatSignificant)).toEqual([
      "0.01235",
      "1.20e−5",
      "1.23e6",
      "0",
      "–",
    ]);
  });
});
