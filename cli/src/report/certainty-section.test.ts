import { describe, expect, it } from "vitest";
import { certaintySection } from "./certainty-section.ts";
import type { PredictionRow } from "./report-data.ts";

const row = (extra: Partial<PredictionRow>): PredictionRow => ({
  slide: "s",
  decision: "a",
  probabilities: null,
  model: "m",
  ...extra,
});

describe("the section on certainty", () => {
  it("is not there when the model says nothing of it", () => {
    expect(certaintySection([row({ truth: "a" })])).toBeNull();
  });

  it("counts truths within their sets against the stated coverage, of all and of each class", () => {
    const sets = [["a"], ["a", "b"], [], ["b"]];
    const rows = sets.map((set, i) => row({ truth: i < 3 ? "a" : "b", certainty: { set, coverage: 0.9 } }));
    const text = certaintySection(rows)?.text ?? "";
    expect(text).toMatch(/all cases<\/th><td class="number">90\.0 %<\/td><td class="number">75\.0 %/);
    expect(text).toContain("1.00 classes");
    expect(text).toMatch(/>a<\/th><td class="number"><\/td><td class="number">66\.7 %/);
    expect(text).toMatch(/>b<\/th><td class="number"><\/td><td class="number">100\.0 %/);
  });

  it("counts numbers within their intervals, ends included", () => {
    const interval = (truth: number) =>
      row({ trueValues: { age: truth }, certainty: { intervals: { age: [10, 20] }, coverage: 0.8 } });
    const text = certaintySection([10, 20, 21, 15].map(interval))?.text ?? "";
    expect(text).toMatch(/age<\/th><td class="number">80\.0 %<\/td><td class="number">75\.0 %/);
    expect(text).toContain(">10</td>");
  });

  it("draws calibrated probabilities and counts slides that are unlike", () => {
    const typicality = { distance: 1, percentile: 50, unlike: false };
    const rows = [0.1, 0.8].map((p, i) =>
      row({
        truth: i === 0 ? "a" : "b",
        certainty: { calibrated: { a: 1 - p, b: p }, typicality: { ...typicality, unlike: i === 0 } },
      }),
    );
    const text = certaintySection(rows)?.text ?? "";
    expect(text).toContain("Calibrated probability");
    expect(text).toContain("1 of 2 slides has features unlike");
  });

  it("takes the positive class from the task, not from what looks like a whole number", () => {
    // All of both classes are told apart with certainty: whoever reads the first column as the positive class sees the opposite.
    const rows = ["1", "0"].map((truth) =>
      row({ truth, certainty: { calibrated: { "1": Number(truth === "1"), "0": Number(truth === "0") } } }),
    );
    const ofTask = (classes: [string, string]) => certaintySection(rows, { kind: "binary", classes })?.text;
    expect(ofTask(["1", "0"])).toContain("Calibrated probability");
    const noisy = ["1", "0", "0"].map((truth) => row({ truth, certainty: { calibrated: { "1": 0.9, "0": 0.1 } } }));
    const drawn = (classes: [string, string]) => certaintySection(noisy, { kind: "binary", classes })?.text;
    expect(drawn(["1", "0"])).not.toBe(drawn(["0", "1"]));
  });

  it("counts no sets of single classes where several hold", () => {
    const rows = [row({ truth: "a; b", certainty: { set: ["a", "b"], coverage: 0.9 } })];
    expect(certaintySection(rows)?.text).toContain("Prediction sets");
    expect(certaintySection(rows, { kind: "multi-label", classes: ["a", "b"] })).toBeNull();
  });
});
