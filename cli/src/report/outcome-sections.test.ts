import { createRng, evaluateRegression, evaluateSurvival, kaplanMeier } from "@parfocal/metrics";
import { describe, expect, it } from "vitest";
import { foldsSection } from "./folds-section.ts";
import { numbersSection, survivalSection } from "./outcome-sections.ts";
import { renderScatterChart } from "./scatter-chart.ts";
import { renderSurvivalChart } from "./survival-chart.ts";

// Two deaths at 1 and 3 and one censoring at 2 of four; the fourth leaves at 4.
const CURVE = kaplanMeier({ times: [1, 2, 3, 4], events: [1, 0, 1, 0] });

describe("the Kaplan-Meier chart", () => {
  const svg = renderSurvivalChart([
    { name: "low risk", curve: CURVE, nCases: 4, nEvents: 2 },
    { name: "high <risk>", curve: kaplanMeier({ times: [1, 1], events: [1, 1] }), nCases: 2, nEvents: 2 },
  ]);

  it("draws steps that hold until the next time, to the place", () => {
    // 0 to 4 over 666 units from 130; survival 1, 3/4 and 3/8 over 300 units from the top at 14.
    expect(svg).toContain('d="M130 14H296.5V89H463V89H629.5V201.5H796V201.5"');
    expect(svg).toContain('d="M130 14H296.5V314"');
  });

  it("ticks the censored, counts those at risk and tells medians", () => {
    expect(svg).toContain('d="M463 84v10M796 196.5v10"');
    expect(svg).toContain("low risk: 4 cases, 2 events, median 3");
    expect(svg).toContain("high &lt;risk&gt;: 2 cases, 2 events, median 1");
    const counts = [...svg.matchAll(/y="392" text-anchor="middle">(\d)</g)].map(([, count]) => count);
    // At 0, 0.5, …, 4: a case is at risk until just before its own time.
    expect(counts).toEqual(["4", "4", "4", "3", "3", "2", "2", "1", "1"]);
  });

  it("draws nobody", () => {
    expect(renderSurvivalChart([])).toContain("<svg");
  });
});

describe("the scatter chart", () => {
  it("puts equal numbers on the line", () => {
    const svg = renderScatterChart("age", [
      [0, 0],
      [100, 50],
    ]);
    const [, x, y] = /cx="([\d.]+)" cy="([\d.]+)"/.exec(svg) ?? [];
    // 4 of 108 from the left and from the bottom.
    expect([Number(x), Number(y)]).toEqual(
      [66 + (338 * 4) / 108, 14 + 338 - (338 * 4) / 108].map((v) => expect.closeTo(v, 1) as number),
    );
    expect(renderScatterChart("age", [[3, 3]])).toContain("Predicted age");
  });
});

describe("sections of other tasks", () => {
  it("show concordance, groups and the test between them", () => {
    const outcomes = { times: [1, 2, 3, 4, 5, 6], events: [1, 1, 0, 1, 0, 1] };
    const patients = ["a", "b", "c", "d", "e", "f"];
    const report = evaluateSurvival(
      { patients, outcomes, risks: [6, 5, 4, 3, 2, 1] },
      { rng: createRng(1n), nResamples: 50 },
    );
    const groups = [{ name: "all", curve: kaplanMeier(outcomes), nCases: 6, nEvents: 4 }];
    const figure = { report, pValue: 0.0321, cut: "the median of the validation part", isByPatient: false };
    const { text } = survivalSection({ ...figure, groups, censoring: "evaluated" }, "6 slides");
    expect(text).not.toContain("Dotted");
    expect(text).not.toContain("counts once");
    const merged = survivalSection({ ...figure, groups, censoring: "evaluated", isByPatient: true }, "6 slides").text;
    expect(merged).toContain("Each patient counts once here, by the mean risk of the patient&#39;s cases.");
    const twice = groups.map((group) => ({ ...group, nCases: 7 }));
    expect(survivalSection({ ...figure, groups: twice, censoring: "evaluated" }, "6 slides").text).toContain(
      "Cases of a patient that went differently count each",
    );
    const predicted = [{ time: 2, survival: 0.5 }];
    const dotted = survivalSection(
      { ...figure, groups: groups.map((group) => ({ ...group, predicted })), censoring: "training" },
      "6 slides",
    ).text;
    for (const part of ["Dotted: the mean survival", 'stroke-dasharray="1.5 4"', "weighed by the training cases"])
      expect(dotted).toContain(part);
    for (const part of [
      "6 cases of 6 patients, 4 events",
      "p = 0.0321",
      "cut at the median of the validation part",
      "1.000",
      "weighed by these cases",
    ])
      expect(text).toContain(part);
  });

  it("show errors of each number", () => {
    const cases = {
      names: ["<age>"],
      patients: ["a", "b", "c"],
      targets: [[1], [2], [null]],
      predicted: [[1], [3], [2]],
    };
    const report = evaluateRegression(cases, { rng: createRng(1n), nResamples: 50 });
    const { text } = numbersSection(
      {
        report,
        points: {
          "<age>": [
            [1, 1],
            [2, 3],
          ],
        },
      },
      "3 slides",
    );
    expect(text).toContain("&lt;age&gt;, 2 cases");
    expect(text).toContain("0.500");
  });
});

describe("the table of folds", () => {
  const row = (name: string, value: number | null) => ({
    name,
    nTrain: 8,
    nValidation: 2,
    nTest: 5,
    figures: [{ value }],
  });

  it("has a row for each, mean and deviation over them, and all together with their interval", () => {
    const pooled = [{ name: "All slides", nTest: 15, figures: [{ value: 0.75, low: 0.5, high: 0.9 }] }];
    const { text } = foldsSection({ figures: ["AUROC"], rows: [row("1", 0.7), row("2", 0.8), row("3", null)], pooled });
    // Folds without a figure are left out of the mean: 0.75 and sqrt(0.005).
    expect(text).toContain("0.750 ± 0.071");
    expect(text).toContain("0.500 – 0.900");
    expect(text.match(/<tr/g)).toHaveLength(1 + 3 + 1 + 1);
  });

  it("has no mean of one fold", () => {
    expect(foldsSection({ figures: ["AUROC"], rows: [row("1", 0.7)], pooled: [] }).text).not.toContain("±");
  });
});
