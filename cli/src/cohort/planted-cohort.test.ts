import { describe, expect, it } from "vitest";
import { PLANTED_DIM, PLANTED_STRIDE_PX, plantCohort } from "./planted-cohort.ts";

describe("a planted cohort", () => {
  const slides = plantCohort(12, 3n);

  it("is the same for the same seed and does not depend on how many slides there are", () => {
    expect(plantCohort(4, 3n)).toEqual(slides.slice(0, 4));
    expect(plantCohort(1, 4n)[0]?.features).not.toEqual(slides[0]?.features);
  });

  it("has the shapes of bags, on a grid", () => {
    for (const { n, features, coords, lesion } of slides) {
      expect(n).toBeGreaterThan(150);
      expect(n).toBeLessThan(1000);
      expect([features.length, coords.length, lesion.length]).toEqual([n * PLANTED_DIM, 2 * n, n]);
      expect(new Set(Array.from(coords, (value, i) => (value - (coords[i % 2] ?? 0)) % PLANTED_STRIDE_PX))).toEqual(
        new Set([0]),
      );
    }
  });

  it("plants a lesion of a few per cent in positive slides only", () => {
    for (const { label, lesion, n } of slides) {
      const share = lesion.reduce((sum, value) => sum + value, 0) / n;
      if (label === "tumour") expect(share).toBeGreaterThan(0.02);
      else expect(share).toBe(0);
      expect(share).toBeLessThan(0.1);
    }
  });

  it("gives all slides of a patient the same label", () => {
    const labels = new Map<string, Set<string>>();
    for (const { patient, label } of slides) labels.set(patient, (labels.get(patient) ?? new Set()).add(label));
    expect([...labels.values()].every((each) => each.size === 1)).toBe(true);
    expect(labels.size).toBeLessThan(slides.length);
  });
});
