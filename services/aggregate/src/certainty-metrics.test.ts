import { parseTask } from "@parfocal/models";
import { commonV1 } from "@parfocal/protocol";
import { describe, expect, it } from "vitest";
import { type CertainCase, certaintyMetrics } from "./certainty-metrics.ts";

type Said = Parameters<typeof commonV1.Prediction.fromPartial>[0];

const caseOf = (patient: string, label: CertainCase["label"], said: Said): CertainCase => ({
  ...{ patient, label },
  prediction: commonV1.Prediction.fromPartial(said),
});
const setOf = (labels: string[], absentLabels: string[] = []): Said => ({
  predictionSet: { labels, absentLabels, coverage: 0.9 },
});
const valuesOf = (task: ReturnType<typeof parseTask>, cases: readonly CertainCase[]) =>
  Object.fromEntries(
    certaintyMetrics(task, cases).map(({ name, label, value }) => [label === "" ? name : `${name} ${label}`, value]),
  );

describe("certainty that comes true", () => {
  const binary = parseTask({ kind: "binary", classes: ["no", "yes"] });

  it("is how often sets hold the truth, over all and by class, and how large they are", () => {
    const cases = [
      caseOf("p1", 0, setOf(["no"])),
      caseOf("p2", 0, setOf(["no", "yes"])),
      caseOf("p3", 1, setOf(["no"])),
      caseOf("p4", 1, {}),
    ];
    expect(valuesOf(binary, cases)).toEqual({
      ...{ set_coverage: 2 / 3, set_size: 4 / 3, "set_coverage no": 1, "set_coverage yes": 0 },
    });
    const [all] = certaintyMetrics(binary, cases);
    // Wilson's interval of 2 in 3.
    expect(all?.lower).toBeCloseTo(0.2077, 4);
    expect(all?.upper).toBeCloseTo(0.9385, 4);
  });

  it("has no interval where slides share a patient", () => {
    const cases = [caseOf("p1", 0, setOf(["no"])), caseOf("p1", 1, setOf(["yes"]))];
    const [all] = certaintyMetrics(binary, cases);
    expect(all).toMatchObject({ name: "set_coverage", value: 1, lower: undefined, upper: undefined });
  });

  it("is of multi-label tasks whether what is true, presence or absence, is left open", () => {
    const task = parseTask({ kind: "multilabel", classes: ["a", "b"] });
    const cases = [caseOf("p1", [1, 0], setOf(["a", "b"])), caseOf("p2", [null, 0], setOf(["a"], ["b"]))];
    expect(valuesOf(task, cases)).toEqual({ "set_coverage a": 1, "set_coverage b": 0.5 });
  });

  it("is of numbers how often intervals hold them, and how wide they are", () => {
    const task = parseTask({ kind: "regression", classes: ["age"] });
    const said = (lower: number, upper: number): Said => ({ values: [{ label: "age", value: 50, lower, upper }] });
    const cases = [
      caseOf("p1", [50], said(40, 60)),
      caseOf("p2", [61], said(40, 60)),
      caseOf("p3", [null], said(0, 99)),
    ];
    expect(valuesOf(task, cases)).toEqual({ "interval_coverage age": 0.5, "interval_width age": 20 });
  });

  it("tells how many cases are unlike those of the training part, and nothing that was not said", () => {
    const unlike = (isUnlike: boolean): Said => ({ typicality: { distance: 1, percentile: 50, isUnlike } });
    const survival = parseTask({ kind: "cox" });
    const label = { time: 1, isEvent: true };
    const cases = [caseOf("p1", label, unlike(true)), caseOf("p2", label, unlike(false)), caseOf("p3", label, {})];
    expect(valuesOf(survival, cases)).toEqual({ unlike_share: 0.5 });
    expect(certaintyMetrics(binary, [caseOf("p1", 0, {})])).toEqual([]);
  });
});
