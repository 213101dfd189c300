import {
  type CasePrediction,
  type CensoringCurve,
  censoringCurve,
  createRng,
  type EvaluationTask,
  evaluate,
  evaluateRegression,
  evaluateSurvival,
  type SurvivalForecast,
} from "@parfocal/metrics";
import { answerFromLogits, hasClasses, type SurvivalTask, type Task } from "@parfocal/models";
import { type BagGroup, meanProbabilities, speaker } from "./bag-groups.ts";
import { type BaselineHazard, survivalCurve } from "./baseline-hazard.ts";
import type { PartReport } from "./job.ts";
import { type EventTime, eventOf, type Label, listOf } from "./label.ts";
import { poolLogits } from "./pool-logits.ts";
import { riskFromLogits } from "./score.ts";
import type { GroupRule } from "./train-spec.ts";

/** A bag, or a group, with its truth and what the model says of it. */
export interface ScoredCase {
  readonly patient: string;
  /** Null: unlabelled. */
  readonly label: Label | null;
  /** `[K]`. */
  readonly logits: readonly number[];
  /** See `answerName`. */
  readonly answer: readonly number[];
}

/** What a report is made with. */
export interface ReportOptions {
  /** Frozen beforehand; see `fitThresholds`. */
  readonly thresholds: readonly number[];
  /** Draws the bootstrap. */
  readonly seed: bigint;
  /** When the training part was censored; absent: what needs it looks at the cases' own censoring. */
  readonly censoring?: CensoringCurve;
  /** Cox: what makes curves of risks, for the Brier score; absent: there is none. */
  readonly baseline?: BaselineHazard;
}

/** Groups as places among the cases, and the rule by which they are decided. */
export interface ReportGroups {
  readonly groups: readonly BagGroup[];
  readonly rule: GroupRule;
  /** How many bags there are, where cases are joined ones; absent: as many as cases. */
  readonly nBags?: number;
}

/**
 * All metrics with intervals. `cases` are bags; groups make each group one case, decided by its rule. Under `min-loss` the most positive bag
 * speaks for its group, and the figures of the groups' means are added. Null: every bag is a case.
 */
export function reportOnGroups(
  task: Task,
  cases: readonly ScoredCase[],
  groups: ReportGroups | null,
  options: ReportOptions,
): PartReport {
  const { speakers, means } = groupCases(task, cases, groups);
  const report = reportOn(task, speakers, options);
  if (groups === null) return report;
  const ofMeans = groups.rule.kind === "min-loss" ? { ofMeans: reportOn(task, means, options) } : {};
  return { ...report, groups: { nBags: groups.nBags ?? cases.length, ...ofMeans } };
}

/** Groups as cases: decided by their rule, and under `min-loss` by the mean of their bags as well. */
export function groupCases(
  task: Task,
  cases: readonly ScoredCase[],
  groups: ReportGroups | null,
): { readonly speakers: readonly ScoredCase[]; readonly means: readonly ScoredCase[] } {
  if (groups === null) return { speakers: cases, means: cases };
  const members = groups.groups.map((group) => group.flatMap((place) => cases[place] ?? []));
  const { rule } = groups;
  if (rule.kind !== "min-loss") {
    const pooled = members.flatMap((group) => pooledCase(task, group, rule.kind === "max" ? "max" : "mean"));
    return { speakers: pooled, means: pooled };
  }
  const answers = members.map((group) => group.map(({ answer }) => answer));
  return {
    speakers: members.flatMap((group, i) => group[speaker(answers[i] ?? [])] ?? []),
    means: members.flatMap((group, i) => {
      const [first] = group;
      return first === undefined ? [] : [{ ...first, answer: meanProbabilities(answers[i] ?? []) }];
    }),
  };
}

/** A joined group is one case already. */
function pooledCase(task: Task, group: readonly ScoredCase[], how: "mean" | "max"): ScoredCase[] {
  const [first] = group;
  if (first === undefined || group.length === 1) return first === undefined ? [] : [first];
  const { logits } = poolLogits(
    task,
    how,
    group.map((member) => member.logits),
  );
  return [{ ...first, logits, answer: answerFromLogits(task, logits) }];
}

/** @throws {DomainError} As the evaluation of the kind of task in `@parfocal/metrics`. */
function reportOn(task: Task, cases: readonly ScoredCase[], options: ReportOptions): PartReport {
  if (task.kind === "regression") return reportOnNumbers(task, cases, options);
  if (!hasClasses(task)) return reportOnEvents(task, cases, options);
  const { thresholds, seed } = options;
  return evaluate(evaluationTask(task), cases.map(classCase), { rng: createRng(seed).fork("bootstrap"), thresholds });
}

/** A case of a task with classes in the words of the metrics. */
export function classCase({ patient, label, answer }: ScoredCase): CasePrediction {
  return { patient, label: typeof label === "number" ? label : listOf(label), probabilities: answer };
}

function reportOnNumbers({ classes }: Task, cases: readonly ScoredCase[], { seed }: ReportOptions): PartReport {
  const labelled = cases.flatMap(({ label, ...rest }) => {
    const numbers = listOf(label);
    return numbers === null ? [] : [{ ...rest, numbers }];
  });
  const { nCases, nPatients, targets } = evaluateRegression(
    {
      names: classes,
      patients: labelled.map(({ patient }) => patient),
      targets: labelled.map(({ numbers }) => numbers),
      predicted: labelled.map(({ answer }) => answer),
    },
    { rng: createRng(seed).fork("bootstrap") },
  );
  const [only, ...others] = targets;
  // Several numbers have several units: nothing is said of all of them together.
  const metrics = only === undefined || others.length > 0 ? {} : only.metrics;
  return { nCases, nPatients, metrics, classes: [], confusion: null, targets };
}

function reportOnEvents(
  task: Task,
  cases: readonly ScoredCase[],
  { seed, censoring, baseline }: ReportOptions,
): PartReport {
  const labelled = cases.flatMap(({ label, ...rest }) => {
    const event = eventOf(label);
    return event === null ? [] : [{ ...rest, event }];
  });
  const outcomes = {
    times: labelled.map(({ event }) => event.time),
    events: labelled.map(({ event }) => Number(event.isEvent)),
  };
  const curve = censoring ?? censoringCurve(outcomes);
  const { nCases, nPatients, nEvents, metrics } = evaluateSurvival(
    {
      patients: labelled.map(({ patient }) => patient),
      outcomes,
      risks: labelled.map(({ logits }) => riskFromLogits(task, logits)),
      ...(task.kind === "survival" && forecastOf(task, labelled)),
      ...(baseline && forecastByBaseline(baseline, labelled, curve)),
      censoring: curve,
    },
    { rng: createRng(seed).fork("bootstrap") },
  );
  const source = censoring === undefined ? "evaluated" : "training";
  return { nCases, nPatients, nEvents, censoring: source, metrics, classes: [], confusion: null };
}

/** Survival to the inner ends of the intervals, which `binOfTime` counts to the next one: beyond the last time nothing is known. */
function forecastOf(
  { edges }: SurvivalTask,
  cases: readonly Pick<ScoredCase, "answer">[],
): { forecast?: SurvivalForecast } {
  const times = edges.slice(1, -1);
  return times.length < 2
    ? {}
    : { forecast: { times, survival: cases.map(({ answer }) => answer.slice(0, times.length)), side: "before" } };
}

/** Most times at which Cox's curves are judged: every resample looks at all of them. */
const MAX_FORECASTS = 16;

/** Survival by Cox's risks at times of the baseline, evenly by rank, before all cases are over and while some training cases are followed. */
function forecastByBaseline(
  baseline: BaselineHazard,
  cases: readonly (Pick<ScoredCase, "logits"> & { readonly event: EventTime })[],
  censoring: CensoringCurve,
): { forecast?: SurvivalForecast } {
  const end = cases.reduce((latest, { event }) => Math.max(latest, event.time), 0);
  const within = [...baseline.times.keys()].filter((k) => {
    const time = baseline.times[k] ?? end;
    return time < end && censoring.after(time) > 0;
  });
  const n = Math.min(within.length, MAX_FORECASTS);
  if (n < 2) return {};
  const kept = Array.from({ length: n }, (_, i) => within[Math.round((i * (within.length - 1)) / (n - 1))] ?? 0);
  const survival = cases.map(({ logits: [theta = Number.NaN] }) => {
    const curve = survivalCurve(baseline, theta);
    return kept.map((k) => curve[k]?.survival ?? Number.NaN);
  });
  return { forecast: { times: kept.map((k) => baseline.times[k] ?? Number.NaN), survival } };
}

/** The task in the words of the metrics. */
export function evaluationTask({ kind, classes }: Task): EvaluationTask {
  if (kind === "binary") return { kind, classes: [classes[0] ?? "", classes[1] ?? ""] };
  if (kind === "ordinal") return { kind, classes };
  return { kind: kind === "multiclass" ? "multi-class" : "multi-label", classes };
}
