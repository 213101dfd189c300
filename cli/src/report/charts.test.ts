import { createRng, evaluate } from "@parfocal/metrics";
import { describe, expect, it } from "vitest";
import { renderCalibrationChart } from "./calibration-chart.ts";
import { niceTicks, shorten } from "./chart.ts";
import { fixtureCases, fixtureRun } from "./report-data.fixture.ts";
import { renderPrChart, renderRocChart } from "./roc-chart.ts";
import { renderTrainingChart } from "./training-chart.ts";

const LABELS = [0, 0, 0, 0, 1, 1, 1, 1, 0, 1];
const SCORES = [0.1, 0.4, 0.35, 0.4, 0.4, 0.8, 0.65, 0.35, 0.2, 0.9];
const evaluation = evaluate(
  { kind: "binary", classes: ["normal", "tumour"] },
  LABELS.map((label, i) => ({ patient: `p${i}`, label, probabilities: [SCORES[i] ?? 0] })),
  { rng: createRng(1n), nResamples: 100, thresholds: [0.65] },
);

/** Tags that are opened and not closed, or closed and not opened; empty for well-formed text. */
function unbalancedTags(svg: string): string[] {
  const open: string[] = [];
  const wrong: string[] = [];
  for (const [, close, name = "", selfClosed] of svg.matchAll(/<(\/?)([a-z]+)[^>]*?(\/?)>/g)) {
    if (close === "/") {
      if (open.pop() !== name) wrong.push(name);
    } else if (selfClosed !== "/") open.push(name);
  }
  return [...wrong, ...open];
}

const seriesPaths = (svg: string): string[] =>
  [...svg.matchAll(/class="(?:series|thin)"[^>]* d="([^"]*)"/g)].map(([, d]) => d ?? "");

describe("renderRocChart", () => {
  const svg = renderRocChart(evaluation);

  it("draws the curve from the lower left to the upper right corner of the frame", () => {
    const [curve] = seriesPaths(svg);
    expect(curve).toMatch(/^M60 358L/);
    expect(curve).toMatch(/L404 14$/);
  });

  it("names AUROC and interval, and marks the threshold where the curve stands at it", () => {
    expect(svg).toContain("tumour: AUROC 0.860 (0.469 – 0.977)");
    expect(svg).toContain("threshold 0.650");
    // At 0.65: sensitivity 0.6, specificity 1.
    expect(svg).toMatch(/<circle[^>]*cx="60" cy="151.6"/);
  });

  it("is a well-formed document that stands alone, in light and dark", () => {
    expect(svg).toMatch(/^<svg xmlns="http:\/\/www.w3.org\/2000\/svg"/);
    expect(unbalancedTags(svg)).toEqual([]);
    expect(svg).toContain("prefers-color-scheme:dark");
    expect(svg).not.toMatch(/NaN|undefined|Infinity/);
    expect(svg.replaceAll("http://www.w3.org/2000/svg", "")).not.toMatch(/https?:/);
  });

  it("keeps a class without a curve in the legend, and escapes its name", () => {
    const missing = { name: "<b>rare</b>", nPositives: 0, nNegatives: 10, metrics: {}, roc: null, pr: null };
    const both = renderRocChart({ classes: [...evaluation.classes, missing], thresholds: [0.65] });
    expect(both).toContain("&lt;b&gt;rare&lt;/b&gt;: AUROC –");
    expect(both).not.toContain("<b>");
  });
});

describe("renderPrChart", () => {
  it("draws steps and names the average precision", () => {
    const svg = renderPrChart(evaluation);
    expect(svg).toContain("tumour: AP 0.858");
    const places = (seriesPaths(svg)[0] ?? "")
      .split(/[ML]/)
      .slice(1)
      .map((place) => place.split(" ").map(Number));
    // A step moves along one axis at a time.
    for (let i = 1; i < places.length; i += 1) {
      const isStep = places[i]?.[0] === places[i - 1]?.[0] || places[i]?.[1] === places[i - 1]?.[1];
      expect(isStep).toBe(true);
    }
  });
});

describe("renderTrainingChart", () => {
  it("shows loss above AUROC and marks the epoch that was kept", () => {
    const svg = renderTrainingChart([fixtureRun()]);
    expect(
      seriesPaths(svg)
        .slice(0, 3)
        .every((d) => d.split(/[ML]/).length === 25),
    ).toBe(true);
    expect(svg).toContain("kept: epoch 15");
    expect(svg).toContain("validation AUROC");
    expect(unbalancedTags(svg)).toEqual([]);
  });

  it("breaks the line where the validation AUROC is undefined, and leaves the panel out when it always is", () => {
    const epochs = [1, 2, 3, 4].map((epoch) => ({
      epoch,
      trainLoss: 1 / epoch,
      validationScore: epoch === 2 ? null : 0.8,
    }));
    const lines = seriesPaths(renderTrainingChart([{ name: "a", epochs }]));
    expect(lines[1]?.match(/M/g)).toHaveLength(2);
    const none = renderTrainingChart([
      { name: "a", epochs: epochs.map(({ epoch, trainLoss }) => ({ epoch, trainLoss })) },
    ]);
    expect(none).not.toContain("AUROC");
  });

  it("draws one epoch, and folds thin under one legend line", () => {
    const single = renderTrainingChart([{ name: "a", epochs: [{ epoch: 1, trainLoss: 0.5 }] }]);
    expect(single).not.toMatch(/NaN|Infinity/);
    const folds = renderTrainingChart(Array.from({ length: 10 }, (_, i) => fixtureRun(`fold ${i}`, 5, BigInt(i))));
    expect(folds).toContain("training loss (10 runs)");
    expect(folds.match(/class="thin"/g)).toHaveLength(30);
  });
});

describe("renderCalibrationChart", () => {
  it("places a dot per bin that has cases and counts the largest bin", () => {
    const svg = renderCalibrationChart([
      { low: 0, high: 0.5, n: 30, meanPredicted: 0.25, observed: 0.5 },
      { low: 0.5, high: 1, n: 0, meanPredicted: null, observed: null },
    ]);
    expect(svg.match(/<circle/g)).toHaveLength(1);
    expect(svg).toMatch(/<circle[^>]*cx="146" cy="186"/);
    expect(svg).toContain(">30</text>");
    expect(svg).toContain("30 cases in 1 bin");
    expect(unbalancedTags(svg)).toEqual([]);
  });
});

describe("niceTicks", () => {
  it("are round and lie within the range", () => {
    expect(niceTicks(0, 0.78, 5)).toEqual([0, 0.2, 0.4, 0.6]);
    expect(niceTicks(0.5, 1, 5)).toEqual([0.5, 0.6, 0.7, 0.8, 0.9, 1]);
    expect(niceTicks(1, 200, 10)).toEqual([20, 40, 60, 80, 100, 120, 140, 160, 180, 200]);
    expect(niceTicks(3, 3, 5)).toEqual([3]);
  });
});

describe("shorten", () => {
  it("cuts by characters, not halves of them", () => {
    expect(shorten("abc", 3)).toBe("abc");
    expect(shorten("😀😀😀😀", 3)).toBe("😀😀…");
  });
});

describe("many classes", () => {
  it("get a curve each in distinct style", () => {
    const classes = ["a", "b", "c", "d", "e", "f", "g"];
    const task = { kind: "multi-class", classes } as const;
    const report = evaluate(task, fixtureCases(task, 70, 1), { rng: createRng(1n), nResamples: 20 });
    const styles = [
      ...renderRocChart(report).matchAll(/class="series" style="([^"]*)" stroke-dasharray="([^"]*)"/g),
    ].map(([, colour, dash]) => `${colour}${dash}`);
    expect(new Set(styles).size).toBe(7);
  });
});
