import { createRng } from "@parfocal/metrics";
import { type ConfigObject, parseTask } from "@parfocal/models";
import { describe, expect, it } from "vitest";
import { type AnsweredCase, calibrate, fitCalibration } from "./calibration.ts";
import { parseCalibration, parseOutliers } from "./calibration-config.ts";
import { calibrationFromJson } from "./calibration-json.ts";

const CONFIG = parseCalibration({});
const sigmoid = (z: number) => 1 / (1 + Math.exp(-z));

/** Cases whose label is 1 with probability `sigmoid(z)`, seen by a model that says `sigmoid(3 z)`. */
function binaryCases(n: number): { readonly label: number; readonly p: number; readonly patient: string }[] {
  const rng = createRng(31n);
  return Array.from({ length: n }, (_, i) => {
    const z = 2 * rng.normal();
    return { label: Number(rng.nextFloat() < sigmoid(z)), p: sigmoid(3 * z), patient: `p${i}` };
  });
}

describe("the calibration of a binary task", () => {
  const task = parseTask({ kind: "binary", classes: ["normal", "tumour"] });
  const cases = binaryCases(400).map(({ p, ...rest }): AnsweredCase => ({ ...rest, answer: [1 - p, p] }));
  const calibration = fitCalibration(task, cases, CONFIG);

  it("softens a model that is too sure, and keeps the order", () => {
    if (calibration === undefined) throw new Error("there are validation cases");
    expect(calibration.temperatures[0]?.temperature).toBeGreaterThan(2);
    const { probabilities } = calibrate(task, calibration, [0.01, 0.99]);
    expect(probabilities[1]).toBeLessThan(0.95);
    expect(probabilities[1]).toBeGreaterThan(0.5);
  });

  it("gives one class where it is sure, and says whom the promise rests on", () => {
    if (calibration === undefined) throw new Error("there are validation cases");
    const sure = calibrate(task, calibration, [0.0001, 0.9999]).set;
    expect(sure).toEqual({ classes: ["tumour"], absent: [], nPatients: 400 });
    expect(calibrate(task, calibration, [0.5, 0.5]).set?.classes).toEqual(["normal", "tumour"]);
  });

  it("comes back from JSON as it was", () => {
    const json = JSON.parse(JSON.stringify(calibration)) as ConfigObject;
    expect(calibrationFromJson(json)).toEqual(calibration);
    expect(() => calibrationFromJson({ ...json, coverage: 2 })).toThrow("calibration.coverage is 2");
    expect(() => calibrationFromJson({ ...json, sets: [{ limits: ["a"], nPatients: [1] }] })).toThrow("limits[0]");
  });

  it("is null where the validation part is decided without a mistake, and none without cases", () => {
    const easy = [
      [0.9, 0.1],
      [0.2, 0.8],
    ].map((answer, label) => ({ patient: `p${label}`, label, answer }));
    const fitted = fitCalibration(task, easy, CONFIG);
    expect(fitted?.temperatures).toEqual([null]);
    // Two patients cannot promise 90 %: it takes nine.
    expect(fitted?.sets).toEqual([{ limits: [null], nPatients: [2] }]);
    const answer = fitted && calibrate(task, fitted, [0.9, 0.1]);
    expect(answer?.probabilities).toEqual([null, null]);
    expect(answer).not.toHaveProperty("set");
    expect(fitCalibration(task, [], CONFIG)).toBeUndefined();
  });
});

describe("the calibration of other tasks", () => {
  it("holds for each class of a multi-label task, on the cases that know it", () => {
    const task = parseTask({ kind: "multilabel", classes: ["a", "b"] });
    const cases = binaryCases(300).map(({ label, p, patient }, i): AnsweredCase => {
      return { patient, label: [label, i < 50 ? 1 - label : null], answer: [p, 1 - p] };
    });
    const calibration = fitCalibration(task, cases, CONFIG);
    if (calibration === undefined) throw new Error("there are validation cases");
    expect(calibration.sets.map(({ nPatients }) => nPatients)).toEqual([[300], [50]]);
    const { probabilities, set } = calibrate(task, calibration, [0.9999, 0.5]);
    expect(probabilities[0]).toBeLessThan(0.9999);
    expect(set).toEqual({ classes: ["a", "b"], absent: ["b"], nPatients: 50 });
  });

  it("is an interval around each number of a regression, in its unit", () => {
    const task = parseTask({ kind: "regression", classes: ["age", "share"] });
    const cases = Array.from({ length: 19 }, (_, i): AnsweredCase => {
      return { patient: `p${i}`, label: [50, i < 3 ? 0.5 : null], answer: [50 + (i + 1) * (i % 2 ? 1 : -1), 0.5] };
    });
    const calibration = fitCalibration(task, cases, CONFIG);
    if (calibration === undefined) throw new Error("there are validation cases");
    expect(calibration.halfWidths).toEqual([
      { halfWidth: 18, nPatients: 19 },
      { halfWidth: null, nPatients: 3 },
    ]);
    expect(calibrate(task, calibration, [60, 0.1]).intervals).toEqual([[42, 78], null]);
    expect(calibrationFromJson(JSON.parse(JSON.stringify(calibration)) as ConfigObject)).toEqual(calibration);
  });

  it("promises nothing of times", () => {
    const task = parseTask({ kind: "cox" });
    expect(fitCalibration(task, [{ patient: "p", label: null, answer: [0.2] }], CONFIG)).toBeUndefined();
  });
});

describe("the options", () => {
  it("have defaults and bounds", () => {
    expect(CONFIG).toEqual({ coverage: 0.9, score: "lac", isClassConditional: false });
    expect(parseOutliers({})).toEqual({ action: "flag", percentile: 99 });
    expect(() => parseCalibration({ coverage: 1 })).toThrow("calibration.coverage is 1");
    expect(() => parseOutliers({ action: "drop" })).toThrow("outliers.action");
  });
});
