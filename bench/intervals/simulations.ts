/** @file Worlds in which the truth is known, and how often a set or an interval made from one sample of them holds it. */
import {
  bootstrapIntervals,
  compareContenders,
  conformalSet,
  contestOfClassifiers,
  delongInterval,
  delongWaldInterval,
  fitConformalHalfWidth,
  fitConformalSets,
  harrellConcordance,
  type Interval,
  kaplanMeier,
  type Rng,
  rankedAuroc,
  rankedConcordance,
  rankRisks,
  rankScores,
  twoSidedP,
} from "@parfocal/metrics";

/** One promise and how a sample of its world kept it. */
export interface Simulation {
  readonly name: string;
  readonly nominal: number;
  /** Whether theory promises at least the nominal share at this sample size, and not only with ever more cases. */
  readonly isGuaranteed: boolean;
  /** Draws a sample; tells whether the promise was kept, null where the sample gives no interval. */
  trial(rng: Rng): boolean | null;
}

const isWithin = (interval: Interval | null | undefined, truth: number): boolean | null =>
  interval ? interval.low <= truth && truth <= interval.high : null;

function softmax(logits: readonly number[]): number[] {
  const terms = logits.map(Math.exp);
  const sum = terms.reduce((total, term) => total + term, 0);
  return terms.map((term) => term / sum);
}

function drawClass(probabilities: readonly number[], u: number): number {
  let mass = 0;
  const index = probabilities.findIndex((p) => {
    mass += p;
    return u < mass;
  });
  return Math.max(0, index);
}

/** A case of four classes, the last one rare, as seen by a model that is three times too sure and half blind. */
function drawCase(rng: Rng): { readonly label: number; readonly row: readonly number[] } {
  const logits = [0, 0, 0, -1.5].map((shift) => shift + rng.normal());
  const label = drawClass(softmax(logits), rng.nextFloat());
  return { label, row: softmax(logits.map((logit) => 3 * (logit + rng.normal()))) };
}

/** Conformal sets from `n` patients, of `nSlides` alike slides each; the promise for one slide of a new patient. */
export function conformalSets(
  score: "lac" | "aps",
  n: number,
  { isClassConditional = false, nSlides = 1 } = {},
): Simulation {
  const how = `${isClassConditional ? ", by class" : ""}${nSlides > 1 ? `, ${nSlides} slides each` : ""}`;
  return {
    name: `${score.toUpperCase()} sets, ${n} patients${how}`,
    nominal: 0.9,
    isGuaranteed: true,
    trial(rng) {
      const patients = Array.from({ length: n * nSlides }, (_, i) => `p${Math.floor(i / nSlides)}`);
      const cases = patients.map(() => drawCase(rng));
      const sets = fitConformalSets(
        { patients, labels: cases.map(({ label }) => label), probabilities: cases.map(({ row }) => row) },
        { score, alpha: 0.1, isClassConditional },
      );
      // By class: the rarest one is where a marginal promise breaks.
      let next = drawCase(rng);
      while (isClassConditional && next.label !== 3) next = drawCase(rng);
      return conformalSet(next.row, sets).includes(next.label);
    },
  };
}

/** Conformal intervals of a number whose spread varies from case to case. */
export function conformalIntervals(n: number): Simulation {
  const error = (rng: Rng) => (0.2 + 2 * rng.nextFloat()) * rng.normal();
  return {
    name: `intervals of numbers, ${n} patients`,
    nominal: 0.9,
    isGuaranteed: true,
    trial(rng) {
      const patients = Array.from({ length: n }, (_, i) => `p${i}`);
      const { halfWidth } = fitConformalHalfWidth(
        patients,
        patients.map(() => error(rng)),
        0.1,
      );
      return halfWidth === null ? null : Math.abs(error(rng)) <= halfWidth;
    },
  };
}

/** Scores of which positives are `separation` higher: their AUROC is the normal distribution at separation / sqrt(2). */
function drawScores(rng: Rng, nEach: number, separation: number) {
  const labels = Array.from({ length: 2 * nEach }, (_, i) => i % 2);
  return { labels, scores: labels.map((label) => label * separation + rng.normal()) };
}

const aurocOf = (separation: number): number => 1 - twoSidedP(separation / Math.SQRT2) / 2;

/** DeLong's interval of an AUROC. */
export function delong(scale: "logit" | "Wald", nEach: number, separation: number): Simulation {
  const truth = aurocOf(separation);
  const intervalOf = scale === "logit" ? delongInterval : delongWaldInterval;
  return {
    name: `DeLong (${scale}) of AUROC ${truth.toFixed(3)}, ${nEach} + ${nEach}`,
    nominal: 0.95,
    isGuaranteed: false,
    trial(rng) {
      const { labels, scores } = drawScores(rng, nEach, separation);
      return isWithin(intervalOf(labels, scores), truth);
    },
  };
}

/** The patient bootstrap of an AUROC where every patient has three slides of much the same score. */
export function clusteredBootstrap(nEach: number, by: "patient" | "slide"): Simulation {
  const truth = aurocOf(1.2);
  return {
    name: `bootstrap by ${by} of AUROC ${truth.toFixed(3)}, ${nEach} + ${nEach} patients of 3 slides`,
    nominal: 0.95,
    isGuaranteed: false,
    trial(rng) {
      // Patient and slide effects have variances 0.8 and 0.2: slides are distributed as single ones in all.
      const { labels, scores: own } = drawScores(rng, nEach, 0);
      const rows = labels.flatMap((label, p) =>
        [0, 1, 2].map((slide) => ({
          label,
          patient: by === "patient" ? `p${p}` : `p${p}-${slide}`,
          score: 1.2 * label + Math.sqrt(0.8) * (own[p] ?? 0) + Math.sqrt(0.2) * rng.normal(),
        })),
      );
      const ranking = rankScores(rows.map(({ score }) => score));
      const classes = rows.map(({ label }) => label);
      const { intervals } = bootstrapIntervals({
        patients: rows.map(({ patient }) => patient),
        statistics: (weights) => ({ auroc: rankedAuroc(ranking, classes, weights) }),
        rng,
        nResamples: 400,
      });
      return isWithin(intervals.auroc, truth);
    },
  };
}

/** Exponential times with hazard e^risk, of which about a third is censored. */
function drawSurvival(rng: Rng, n: number) {
  const risks = Array.from({ length: n }, () => rng.normal());
  const rows = risks.map((risk) => {
    const [event, end] = [-Math.log(1 - rng.nextFloat()) * Math.exp(-risk), -Math.log(1 - rng.nextFloat()) * 2];
    return { time: Math.min(event, end), event: Number(event <= end) };
  });
  return { risks, outcomes: { times: rows.map(({ time }) => time), events: rows.map(({ event }) => event) } };
}

/** The patient bootstrap of Harrell's index. `truth`: the index of very many cases. */
export function concordance(n: number, truth: number): Simulation {
  return {
    name: `bootstrap of Harrell's index ${truth.toFixed(3)}, ${n} patients`,
    nominal: 0.95,
    isGuaranteed: false,
    trial(rng) {
      const { risks, outcomes } = drawSurvival(rng, n);
      const ranked = rankRisks(outcomes, risks);
      const { intervals } = bootstrapIntervals({
        patients: risks.map((_, i) => `p${i}`),
        statistics: (caseWeights) => ({ cIndex: rankedConcordance(ranked, { caseWeights }).index }),
        rng,
        nResamples: 400,
      });
      return isWithin(intervals.cIndex, truth);
    },
  };
}

/** Harrell's index of `n` cases of the world of {@link concordance}. */
export function largeSampleConcordance(rng: Rng, n: number): number {
  const { risks, outcomes } = drawSurvival(rng, n);
  return harrellConcordance(outcomes, risks).index ?? Number.NaN;
}

/** Greenwood's log-log interval at the median of exponential times, half as many censored before. */
export function kaplanMeierAtMedian(n: number): Simulation {
  return {
    name: `Kaplan-Meier at the median, ${n} patients`,
    nominal: 0.95,
    isGuaranteed: false,
    trial(rng) {
      const rows = Array.from({ length: n }, () => {
        const [event, end] = [-Math.log(1 - rng.nextFloat()), -Math.log(1 - rng.nextFloat()) * 2];
        return { time: Math.min(event, end), event: Number(event <= end) };
      });
      const curve = kaplanMeier({ times: rows.map(({ time }) => time), events: rows.map(({ event }) => event) });
      const { low = null, high = null } = curve.findLast(({ time }) => time <= Math.LN2) ?? {};
      return low === null || high === null ? null : low <= 0.5 && 0.5 <= high;
    },
  };
}

/** No false rejection at 5 % among the pairs of `nModels` models that are equally good, in one metric after Holm. */
export function equalModels(metric: "auroc" | "accuracy" | "brier", nModels: number, n: number): Simulation {
  const task = { kind: "binary", classes: ["no", "yes"] } as const;
  return {
    name: `no false rejection, ${nModels} equal models, ${metric}, ${n} patients`,
    nominal: 0.95,
    isGuaranteed: false,
    trial(rng) {
      const labels = Array.from({ length: n }, (_, i) => i % 2);
      const shared = labels.map((label) => 1.5 * label - 0.75 + rng.normal());
      const models = Array.from({ length: nModels }, () => ({
        probabilities: shared.map((score) => {
          const p = 1 / (1 + Math.exp(-(score + 0.7 * rng.normal())));
          return [1 - p, p];
        }),
        thresholds: [0.5],
      }));
      const patients = labels.map((_, i) => `p${i}`);
      const { contenders, cases } = contestOfClassifiers(task, patients, labels, models);
      const rows = compareContenders(contenders, cases, { rng, nResamples: 200 });
      return rows.every((row) => row.metric !== metric || (row.adjustedP ?? 1) > 0.05);
    },
  };
}
