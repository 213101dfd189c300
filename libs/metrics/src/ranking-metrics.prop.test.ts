import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { auroc, rankedAuroc } from "./auroc.ts";
import { averagePrecision, rankedAveragePrecision } from "./average-precision.ts";
import { prCurve, rocCurve } from "./curves.ts";
import { delongComponents, delongCovariance, delongInterval, delongVariance } from "./delong.ts";
import { midRanks, rankScores } from "./ranking.ts";

/** Cases with both classes and many ties: scores are multiples of 1/8. */
const cases = fc
  .array(
    fc.record({
      label: fc.integer({ min: 0, max: 1 }),
      score: fc.integer({ min: 0, max: 8 }),
      other: fc.integer({ min: 0, max: 8 }),
    }),
    {
      minLength: 2,
      maxLength: 40,
    },
  )
  .filter((rows) => new Set(rows.map((row) => row.label)).size === 2)
  .map((rows) => ({
    labels: rows.map((row) => row.label),
    scores: rows.map((row) => row.score / 8),
    others: rows.map((row) => row.other / 8),
  }));

const split = (labels: readonly number[], scores: readonly number[]): [number[], number[]] => [
  scores.filter((_, i) => labels[i] === 1),
  scores.filter((_, i) => labels[i] === 0),
];
const psi = (x: number, y: number): number => (x > y ? 1 : x === y ? 0.5 : 0);
const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

/** DeLong's components straight from the definition: O(m n). */
function plainComponents(labels: readonly number[], scores: readonly number[]): { v10: number[]; v01: number[] } {
  const [positives, negatives] = split(labels, scores);
  return {
    v10: positives.map((x) => mean(negatives.map((y) => psi(x, y)))),
    v01: negatives.map((y) => mean(positives.map((x) => psi(x, y)))),
  };
}

function plainCovariance(a: readonly number[], b: readonly number[]): number {
  return a.reduce((sum, x, i) => sum + (x - mean(a)) * ((b[i] ?? 0) - mean(b)), 0) / (a.length - 1);
}

describe("AUROC", () => {
  it("is the share of pairs in which the positive scores higher, ties one half", () => {
    fc.assert(
      fc.property(cases, ({ labels, scores }) => {
        const [positives, negatives] = split(labels, scores);
        const pairs = positives.flatMap((x) => negatives.map((y) => psi(x, y)));
        expect(auroc(labels, scores)).toBeCloseTo(mean(pairs), 12);
      }),
    );
  });

  it("equals the mid-rank formula", () => {
    fc.assert(
      fc.property(cases, ({ labels, scores }) => {
        const ranks = midRanks(scores);
        const m = labels.filter((label) => label === 1).length;
        const rankSum = labels.reduce((sum, label, i) => sum + label * (ranks[i] ?? 0), 0);
        expect(auroc(labels, scores)).toBeCloseTo((rankSum - (m * (m + 1)) / 2) / (m * (labels.length - m)), 12);
      }),
    );
  });

  it("does not change under a monotone map, and becomes one minus itself under a falling one", () => {
    fc.assert(
      fc.property(cases, ({ labels, scores }) => {
        const value = auroc(labels, scores) ?? Number.NaN;
        expect(
          auroc(
            labels,
            scores.map((score) => Math.exp(3 * score) - 7),
          ),
        ).toBe(value);
        expect(
          auroc(
            labels,
            scores.map((score) => -score),
          ),
        ).toBeCloseTo(1 - value, 12);
      }),
    );
  });

  it("is the trapezoid area under the ROC curve", () => {
    fc.assert(
      fc.property(cases, ({ labels, scores }) => {
        const points = rocCurve(labels, scores) ?? [];
        const area = points.slice(1).reduce((sum, point, i) => {
          const before = points[i] ?? point;
          return sum + ((point.fpr - before.fpr) * (point.tpr + before.tpr)) / 2;
        }, 0);
        expect(area).toBeCloseTo(auroc(labels, scores) ?? Number.NaN, 12);
        expect(points.at(-1)).toMatchObject({ fpr: 1, tpr: 1 });
      }),
    );
  });
});

describe("weights", () => {
  it("count a case as often as repeating it would", () => {
    const weighted = fc.tuple(cases, fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 40, maxLength: 40 }));
    fc.assert(
      fc.property(weighted, ([{ labels, scores }, weights]) => {
        const repeat = (values: readonly number[]) =>
          values.flatMap((value, i) => new Array<number>(weights[i] ?? 0).fill(value));
        const ranking = rankScores(scores);
        const repeatedLabels = repeat(labels);
        const [areaOfRepeats, precisionOfRepeats] = [
          auroc(repeatedLabels, repeat(scores)),
          averagePrecision(repeatedLabels, repeat(scores)),
        ];
        expect(rankedAuroc(ranking, labels, weights)).toEqual(areaOfRepeats);
        const precision = rankedAveragePrecision(ranking, labels, weights);
        if (precisionOfRepeats === null) expect(precision).toBeNull();
        else expect(precision).toBeCloseTo(precisionOfRepeats, 12);
      }),
    );
  });
});

describe("average precision", () => {
  it("is the step area under the precision-recall curve", () => {
    fc.assert(
      fc.property(cases, ({ labels, scores }) => {
        const points = prCurve(labels, scores) ?? [];
        const area = points.reduce(
          (sum, point, i) => sum + (point.recall - (points[i - 1]?.recall ?? 0)) * point.precision,
          0,
        );
        expect(averagePrecision(labels, scores)).toBeCloseTo(area, 12);
      }),
    );
  });
});

describe("DeLong", () => {
  it("in O(N log N) equals the definition over all pairs", () => {
    fc.assert(
      fc.property(cases, ({ labels, scores, others }) => {
        const fast = [delongComponents(labels, scores), delongComponents(labels, others)] as const;
        const plain = [plainComponents(labels, scores), plainComponents(labels, others)] as const;
        if (fast[0] === null || fast[1] === null) throw new Error("both classes are present");
        plain[0].v10.forEach((value, i) => {
          expect(fast[0]?.positives[i]).toBeCloseTo(value, 12);
        });
        plain[0].v01.forEach((value, i) => {
          expect(fast[0]?.negatives[i]).toBeCloseTo(value, 12);
        });
        const [m, n] = [plain[0].v10.length, plain[0].v01.length];
        const variance = delongVariance(fast[0]);
        if (m < 2 || n < 2) {
          expect(variance).toBeNull();
          return;
        }
        expect(variance).toBeCloseTo(
          plainCovariance(plain[0].v10, plain[0].v10) / m + plainCovariance(plain[0].v01, plain[0].v01) / n,
          12,
        );
        expect(delongCovariance(fast[0], fast[1])).toBeCloseTo(
          plainCovariance(plain[0].v10, plain[1].v10) / m + plainCovariance(plain[0].v01, plain[1].v01) / n,
          12,
        );
      }),
    );
  });

  it("gives an interval inside (0, 1) around the AUROC, or none", () => {
    fc.assert(
      fc.property(cases, ({ labels, scores }) => {
        const value = auroc(labels, scores) ?? Number.NaN;
        const interval = delongInterval(labels, scores);
        if (interval === null) return;
        expect(interval.low).toBeGreaterThanOrEqual(0);
        expect(interval.low).toBeLessThanOrEqual(value);
        expect(interval.high).toBeGreaterThanOrEqual(value);
        expect(interval.high).toBeLessThanOrEqual(1);
      }),
    );
  });
});
