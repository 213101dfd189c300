import type { RunRequest } from "@parfocal/engine";
import {
  type CasePrediction,
  type CensoringCurve,
  censoringSteps,
  chooseThreshold,
  curveOfCensoring,
  type ThresholdRule,
} from "@parfocal/metrics";
import {
  type CoxTask,
  captureAggregate,
  captureReembed,
  countThresholds,
  type Task,
  type Weights,
} from "@parfocal/models";
import { patientsOf } from "./assign-parts.ts";
import { labelOfGroup } from "./bag-groups.ts";
import { type BaselineHazard, breslowHazard } from "./baseline-hazard.ts";
import { unflattenWeights } from "./flat-layout.ts";
import type { Part, PartReport, ScoredBag, TrainedModel } from "./job.ts";
import { eventOf } from "./label.ts";
import { fitCalibration } from "./package/calibration.ts";
import { fitTypicalityOf } from "./package/fit-typicality.ts";
import { type SurvivalFacts, survivalFacts } from "./package/survival-facts.ts";
import type { TrainPlan } from "./plan.ts";
import { classCase, groupCases, type ReportGroups, reportOnGroups, type ScoredCase } from "./report.ts";
import { type ChunkOptions, runGroupsInChunks } from "./run-in-chunks.ts";
import { scoreFetches, scoreFrom } from "./score-outputs.ts";
import { scoringRuns } from "./serving-runs.ts";
import type { TrainingState } from "./training-state.ts";

/**
 * What a finished training leaves: the selected weights; thresholds and calibration of the validation part; validation and test
 * part scored by the serving graph, so that what is reported is what will be served. The test part is looked at here for
 * the first and only time.
 *
 * @throws {DomainError} `NON_FINITE` naming the bag by its index when the model says nothing finite of it; what the engine throws.
 */
export async function finishTraining(
  plan: TrainPlan,
  state: TrainingState,
  options: ChunkOptions,
): Promise<TrainedModel> {
  const { model, layout, spec, split } = plan;
  const isBest = spec.selection === "best" && state.bestWeights !== null;
  const flat = isBest && state.bestWeights !== null ? state.bestWeights : state.weights;
  const weights = { ...unflattenWeights(layout.trainable, flat), ...unflattenWeights(layout.fixed, state.fixed) };
  const validation = await scoreRows(plan, weights, split.validation, options);
  const test = await scoreRows(plan, weights, split.test, options);
  const { task } = model.config;
  const cases = groupCases(task, casesOf(plan, validation), localGroups(plan, "validation"));
  const { thresholds, isFitted } = fitThresholds(task, cases.speakers.map(classCase), spec.threshold);
  const calibration = fitCalibration(
    task,
    cases.speakers.map((each) => ({ ...classCase(each), answer: each.answer })),
    spec.calibration,
  );
  const typicality = await fitTypicalityOf(plan, weights, options);
  const survival = await survivalOf(plan, weights, options);
  const report = (scored: readonly ScoredBag[], part: "validation" | "test"): PartReport | null =>
    scored.length === 0
      ? null
      : reportOnGroups(task, casesOf(plan, scored), localGroups(plan, part), {
          thresholds,
          seed: spec.seed,
          ...(survival && { censoring: survival.censoring }),
          ...(survival?.facts.baseline && { baseline: survival.facts.baseline }),
        });
  return {
    model,
    spec,
    jobDigest: plan.jobDigest,
    ...(plan.start && { startDigest: plan.start.digest }),
    dataDigest: plan.dataDigest,
    weights,
    epoch: isBest ? state.selection.bestEpoch : state.epoch,
    history: state.history,
    thresholds,
    areThresholdsFitted: isFitted,
    ...(calibration && { calibration }),
    ...(typicality && { typicality }),
    seen: plan.seen,
    ...(survival && { survival: survival.facts }),
    validation: report(validation, "validation"),
    test: report(test, "test"),
    testPredictions: test,
    source: plan.source,
  };
}

/** The groups of a part as places among its rows; null without a rule for groups. */
function localGroups({ split, groups, spec, inputs }: TrainPlan, part: Part): ReportGroups | null {
  if (spec.groups === undefined) return null;
  const places = new Map(split[part].map((row, place) => [row, place]));
  const nBags = split[part].reduce((sum, row) => sum + (inputs[row]?.members?.length ?? 1), 0);
  return { rule: spec.groups, nBags, groups: groups[part].map((group) => group.map((row) => places.get(row) ?? -1)) };
}

async function scoreRows(
  plan: TrainPlan,
  weights: Weights,
  rows: readonly number[],
  options: ChunkOptions,
): Promise<ScoredBag[]> {
  const scored: ScoredBag[] = [];
  for await (const { results, first } of runGroupsInChunks(answerRuns(plan, weights, rows), options)) {
    for (const [i, { outputs }] of results.entries()) {
      const index = rows[first + i] ?? -1;
      scored.push({ index, ...scoreFrom(plan.model.config.task, outputs, index) });
    }
  }
  return scored;
}

/** By the graphs that will be published, one after the other as the stages will run them. */
function* answerRuns(
  plan: TrainPlan,
  weights: Weights,
  rows: readonly number[],
): Generator<readonly RunRequest[], void, undefined> {
  const { model } = plan;
  const graphs = {
    aggregate: captureAggregate(model, weights),
    ...(model.hasReembedder && { reembed: captureReembed(model, weights).whole }),
  };
  const fetches = scoreFetches(model.config.task);
  for (const row of rows) {
    yield scoringRuns(graphs, plan.inputs[row] ?? { feeds: {} }, fetches, plan.scratchName);
  }
}

function casesOf({ job }: TrainPlan, scored: readonly ScoredBag[]): ScoredCase[] {
  const patients = patientsOf(job.bags);
  return scored.map(({ index, ...said }) => ({
    patient: patients[index] ?? "",
    label: job.bags[index]?.label ?? null,
    ...said,
  }));
}

/**
 * What is published of the training part's events; undefined in tasks without times. For Cox's baseline hazard the training part is scored once
 * more, by the weights that were selected: risks of patients and groups as they will be decided.
 */
async function survivalOf(
  plan: TrainPlan,
  weights: Weights,
  options: ChunkOptions,
): Promise<{ readonly facts: SurvivalFacts; readonly censoring: CensoringCurve } | undefined> {
  const { job, groups, model } = plan;
  const { task } = model.config;
  const times = groups.train.flatMap((group) => eventOf(labelOfGroup(job.bags, group)) ?? []);
  if (times.length === 0) return undefined;
  const steps = censoringSteps({
    times: times.map(({ time }) => time),
    events: times.map(({ isEvent }) => Number(isEvent)),
  });
  const baseline = task.kind === "cox" ? await baselineOf(plan, task, weights, options) : undefined;
  return { facts: survivalFacts(baseline, steps), censoring: curveOfCensoring(steps) };
}

async function baselineOf(
  plan: TrainPlan,
  task: CoxTask,
  weights: Weights,
  options: ChunkOptions,
): Promise<BaselineHazard | undefined> {
  const scored = await scoreRows(plan, weights, plan.split.train, options);
  const cases = groupCases(task, casesOf(plan, scored), localGroups(plan, "train")).speakers;
  const known = cases.flatMap(({ label, logits: [theta = Number.NaN] }) => {
    const event = eventOf(label);
    return event === null ? [] : [{ event, theta }];
  });
  return breslowHazard(
    known.map(({ event }) => event),
    known.map(({ theta }) => theta),
    task.ties,
  );
}

/** What decides when the validation part cannot choose. */
const DEFAULT_THRESHOLD = 0.5;

/**
 * One threshold for binary, one per class for multi-label, none for other tasks, chosen by `rule` on validation
 * cases. A class whose validation cases cannot choose (one side missing, or none at all) keeps 0.5.
 */
export function fitThresholds(
  task: Task,
  cases: readonly CasePrediction[],
  rule: ThresholdRule,
): { readonly thresholds: readonly number[]; readonly isFitted: boolean } {
  if (countThresholds(task) === 0) return { thresholds: [], isFitted: false };
  const columns = task.kind === "binary" ? [1] : task.classes.map((_, k) => k);
  const fitted = columns.map((column) => fitThreshold(cases, column, rule));
  return {
    thresholds: fitted.map((value) => value ?? DEFAULT_THRESHOLD),
    isFitted: fitted.every((value) => value !== null),
  };
}

function fitThreshold(cases: readonly CasePrediction[], column: number, rule: ThresholdRule): number | null {
  if (rule.kind === "fixed") return rule.value;
  const known = cases.flatMap(({ label, probabilities }) => {
    const truth = truthOf(label, column);
    const score = probabilities?.[column];
    return truth === null || score === undefined ? [] : [{ truth, score }];
  });
  const nPositives = known.filter(({ truth }) => truth === 1).length;
  if (nPositives === 0 || nPositives === known.length) return null;
  return chooseThreshold(
    known.map(({ truth }) => truth),
    known.map(({ score }) => score),
    rule,
  ).threshold;
}

function truthOf(label: CasePrediction["label"], column: number): number | null {
  if (label === null) return null;
  return typeof label === "number" ? Number(label === column) : (label[column] ?? null);
}
