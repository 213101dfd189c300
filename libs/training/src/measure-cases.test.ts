import { createRng } from "@parfocal/metrics";
import { parseTask } from "@parfocal/models";
import { describe, expect, it } from "vitest";
import { type MeasuredCase, measureCases } from "./measure-cases.ts";

const binary = parseTask({ kind: "binary", classes: ["benign", "tumour"] });
const multilabel = parseTask({ kind: "multilabel", classes: ["a", "b", "c"] });

/** Cases of models whose thresholds are `thresholds` in turn. */
function casesOf(nClasses: number, thresholds: readonly (readonly number[])[]): MeasuredCase[] {
  const rng = createRng(5n);
  return Array.from({ length: 60 }, (_, i) => {
    const p = Array.from({ length: nClasses }, () => rng.nextFloat());
    const isBinary = nClasses === 1;
    const labels = p.map((value) => Number(value + rng.nextFloat() > 1));
    return {
      patient: `p${i}`,
      label: isBinary ? labels[0]! : labels,
      answer: isBinary ? [1 - p[0]!, p[0]!] : p,
      thresholds: thresholds[i % thresholds.length]!,
    };
  });
}

describe("measureCases", () => {
  it("decides each binary case by its own threshold and ranks all of them together", () => {
    const own = casesOf(1, [[0.2], [0.7], [0.5]]);
    const shared = own.map((each) => ({ ...each, thresholds: [0.5] }));
    const [a, b] = [measureCases(binary, own), measureCases(binary, shared)];
    const nRight = own.filter(({ label, answer, thresholds }) => Number(answer[1]! >= thresholds[0]!) === label).length;
    expect(a.metrics.accuracy?.value).toBeCloseTo(nRight / own.length, 12);
    expect(a.metrics.accuracy?.value).not.toBe(b.metrics.accuracy?.value);
    for (const name of ["auroc", "brier", "logLoss", "ece"] as const) expect(a.metrics[name]).toEqual(b.metrics[name]);
    const [tn = 0, tp = 0] = [a.confusion?.[0]?.[0], a.confusion?.[1]?.[1]];
    expect(tn + tp).toBe(nRight);
  });

  it("decides each label of a multi-label case by its own threshold", () => {
    const own = casesOf(3, [
      [0.2, 0.5, 0.9],
      [0.7, 0.1, 0.5],
    ]);
    const report = measureCases(multilabel, own);
    const isExact = ({ label, answer, thresholds }: MeasuredCase) =>
      answer.every((p, k) => Number(p >= thresholds[k]!) === (label as readonly number[])[k]);
    expect(report.metrics.exactMatch?.value).toBeCloseTo(own.filter(isExact).length / own.length, 12);
  });

  it("keeps what lies on a threshold on its side, at the ends too", () => {
    const at = (p: number, threshold: number): MeasuredCase => {
      return { patient: `${p} ${threshold}`, label: 1, answer: [1 - p, p], thresholds: [threshold] };
    };
    const others = [{ ...at(0.1, 0.5), label: 0 }];
    const decided = [at(0.3, 0.3), at(0.3, Math.fround(0.3)), at(1, 1), at(0, 0), at(0.999, 1)];
    const { confusion } = measureCases(binary, [...decided, ...others]);
    const nPositive = decided.filter(({ answer, thresholds }) => answer[1]! >= thresholds[0]!).length;
    expect(confusion?.[1]?.[1]).toBe(nPositive);
  });

  it("measures ranks of survival and errors of numbers", () => {
    const cox = parseTask({ kind: "cox" });
    const events = [1, 2, 3, 4].map((time) => ({
      patient: `p${time}`,
      label: { time, isEvent: true },
      answer: [],
      risk: -time,
      thresholds: [],
    }));
    expect(measureCases(cox, events).metrics.cIndex?.value).toBe(1);
    const regression = parseTask({ kind: "regression", classes: ["ki67"] });
    const numbers = [1, 2, 3].map((value) => ({
      patient: `p${value}`,
      label: [value],
      answer: [value + 0.5],
      thresholds: [],
    }));
    expect(measureCases(regression, numbers).metrics.mae?.value).toBeCloseTo(0.5, 12);
  });
});
