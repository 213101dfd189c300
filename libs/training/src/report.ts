import {
  type CasePrediction,
  createRng,
  type EvaluationReport,
  type EvaluationTask,
  evaluate,
} from "@parfocal/metrics";
import type { Task } from "@parfocal/models";
import { type BagGroup, meanProbabilities, speaker } from "./bag-groups.ts";
import type { PartReport } from "./job.ts";

/** What a report is made with. */
export interface ReportOptions {
  /** Frozen beforehand; see `fitThresholds`. */
  readonly thresholds: readonly number[];
  /** Draws the bootstrap. */
  readonly seed: bigint;
}

/**
 * All metrics with intervals. `cases` are bags; `groups`, as places among them, make each group one case, for which its most
 * positive bag speaks, and add the figures of the groups' means. Null: every bag is a case.
 */
export function reportOnGroups(
  task: Task,
  cases: readonly CasePrediction[],
  groups: readonly BagGroup[] | null,
  options: ReportOptions,
): PartReport {
  const { speakers, means } = groupCases(cases, groups);
  const report = reportOn(task, speakers, options);
  if (groups === null) return report;
  return { ...report, groups: { nBags: cases.length, ofMeans: reportOn(task, means, options) } };
}

/** Groups as cases: by the bag that speaks for each, and by the mean of its bags. */
export function groupCases(
  cases: readonly CasePrediction[],
  groups: readonly BagGroup[] | null,
): { readonly speakers: readonly CasePrediction[]; readonly means: readonly CasePrediction[] } {
  if (groups === null) return { speakers: cases, means: cases };
  const members = groups.map((group) => group.flatMap((place) => cases[place] ?? []));
  const probabilities = members.map((group) => group.map((each) => each.probabilities ?? []));
  return {
    speakers: members.flatMap((group, i) => group[speaker(probabilities[i] ?? [])] ?? []),
    means: members.flatMap((group, i) => {
      const [first] = group;
      return first === undefined ? [] : [{ ...first, probabilities: meanProbabilities(probabilities[i] ?? []) }];
    }),
  };
}

function reportOn(task: Task, cases: readonly CasePrediction[], { thresholds, seed }: ReportOptions): EvaluationReport {
  return evaluate(evaluationTask(task), cases, { rng: createRng(seed).fork("bootstrap"), thresholds });
}

/** The task in the words of the metrics. */
function evaluationTask({ kind, classes }: Task): EvaluationTask {
  if (kind === "binary") return { kind, classes: [classes[0] ?? "", classes[1] ?? ""] };
  return { kind: kind === "multiclass" ? "multi-class" : "multi-label", classes };
}
