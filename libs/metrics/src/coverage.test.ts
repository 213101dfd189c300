import { describe, expect, it } from "vitest";
import { rankedAuroc } from "./auroc.ts";
import { bootstrapIntervals } from "./bootstrap.ts";
import { harrellConcordance, rankedConcordance, rankRisks } from "./concordance.ts";
import { delongInterval } from "./delong.ts";
import type { Interval } from "./interval.ts";
import { twoSidedP } from "./normal-distribution.ts";
import { rankScores } from "./ranking.ts";
import { createRng, type Rng } from "./rng.ts";

/** Few trials, for every commit; `bench/intervals/run.ts` makes thousands, and of more. Conformal sets are in conformal.test.ts. */
const TRIALS = 300;
/** Four binomial standard errors at 95 %, and 2 % for what small samples cost intervals that hold with ever more cases. */
const TOLERANCE = 4 * Math.sqrt((0.95 * 0.05) / TRIALS) + 0.02;

function share(trial: () => Interval | null | undefined, truth: number): number {
  const intervals = Array.from({ length: TRIALS }, trial).flatMap((interval) => interval ?? []);
  expect(intervals.length).toBeGreaterThan(0.95 * TRIALS);
  return intervals.filter(({ low, high }) => low <= truth && truth <= high).length / intervals.length;
}

/** 40 + 40 scores of which positives are 1.2 higher: the AUROC is the normal distribution at 1.2 / sqrt(2). */
function drawScores(rng: Rng) {
  const labels = Array.from({ length: 80 }, (_, i) => i % 2);
  return { labels, scores: labels.map((label) => 1.2 * label + rng.normal()) };
}
const AUROC = 1 - twoSidedP(1.2 / Math.SQRT2) / 2;

/** Exponential times with hazard e^risk, about a third censored. */
function drawSurvival(rng: Rng, n: number) {
  const risks = Array.from({ length: n }, () => rng.normal());
  const rows = risks.map((risk) => {
    const [event, end] = [-Math.log(1 - rng.nextFloat()) * Math.exp(-risk), -Math.log(1 - rng.nextFloat()) * 2];
    return { time: Math.min(event, end), event: Number(event <= end) };
  });
  return { risks, outcomes: { times: rows.map(({ time }) => time), events: rows.map(({ event }) => event) } };
}

describe("95 % intervals hold the truth about as often as they say", () => {
  it("DeLong's of AUROC", () => {
    const rng = createRng(41n);
    const held = share(() => {
      const { labels, scores } = drawScores(rng);
      return delongInterval(labels, scores);
    }, AUROC);
    expect(Math.abs(held - 0.95)).toBeLessThan(TOLERANCE);
  });

  it("the bootstrap's of AUROC", () => {
    const rng = createRng(42n);
    const held = share(() => {
      const { labels, scores } = drawScores(rng);
      const ranking = rankScores(scores);
      const statistics = (weights: Float64Array) => ({ auroc: rankedAuroc(ranking, labels, weights) });
      const patients = labels.map((_, i) => `p${i}`);
      return bootstrapIntervals({ patients, statistics, rng, nResamples: 200 }).intervals.auroc;
    }, AUROC);
    expect(Math.abs(held - 0.95)).toBeLessThan(TOLERANCE);
  });

  it("the bootstrap's of Harrell's index", () => {
    const rng = createRng(43n);
    const large = drawSurvival(rng, 50_000);
    const truth = harrellConcordance(large.outcomes, large.risks).index ?? Number.NaN;
    const held = share(() => {
      const { outcomes, risks } = drawSurvival(rng, 80);
      const ranked = rankRisks(outcomes, risks);
      const statistics = (caseWeights: Float64Array) => ({ index: rankedConcordance(ranked, { caseWeights }).index });
      const patients = risks.map((_, i) => `p${i}`);
      return bootstrapIntervals({ patients, statistics, rng, nResamples: 200 }).intervals.index;
    }, truth);
    expect(Math.abs(held - 0.95)).toBeLessThan(TOLERANCE);
  });
});
