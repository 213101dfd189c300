import { randomUUID } from "node:crypto";
import type { BagRef } from "@parfocal/bags";
import type { RunRequest, RunResult } from "@parfocal/engine";
import { curveOfCensoring } from "@parfocal/metrics";
import { assertGroupsFit, type BagGroup, groupBags } from "../bag-groups.ts";
import { mapBags } from "../bag-inputs.ts";
import type { CensoringSource, PartReport } from "../job.ts";
import { assertLabel, type Label } from "../label.ts";
import { groupCases, type ReportGroups, reportOnGroups, type ScoredCase } from "../report.ts";
import { runGroupsInChunks } from "../run-in-chunks.ts";
import { type BagScore, scoreFetches, scoreFrom } from "../score-outputs.ts";
import { groupRuleOf } from "../train-spec.ts";
import { type Certainty, describeCertainty, mostUnusual } from "./certainty.ts";
import { decidingGraph, type LoadedModel } from "./load-model.ts";
import type { PredictDeps } from "./predict-bag.ts";
import { type SeenPart, worstSeen } from "./seen-bags.ts";
import { createScorer, joinServing, readServingInput, type ServingInput } from "./serving-input.ts";
import { censoringOfFacts } from "./survival-facts.ts";

/** What {@link evaluateModel} runs on. */
export interface EvaluateDeps extends PredictDeps {
  /** A clock in milliseconds; decides only how many runs travel together. */
  nowMs(): number;
}

/** A bag with its label. */
export interface EvaluatedBag {
  readonly bag: BagRef;
  readonly label: Label;
  readonly patient: string;
  /** The group that has the label, within the patient; absent: the patient's. */
  readonly group?: string;
}

/** How a model does on labelled bags. */
export interface ModelEvaluation {
  /** With the thresholds frozen in the model; of a model that was trained on groups the cases are groups. */
  readonly report: PartReport;
  /** By bag, in their order. */
  readonly scores: readonly CertainScore[];
  /** What the report counts: bags, or groups as their rule decides them. */
  readonly cases: readonly EvaluatedCase[];
}

/** A score with how far it may be trusted. Bags that the model refuses to predict are scored, and told as unlike. */
interface CertainScore extends BagScore, Certainty {
  /** Which part of the model's training had it; of several bags the worst, see `worstSeen`. */
  readonly seen: SeenPart;
}

/** A bag or group that counts once. */
interface EvaluatedCase extends CertainScore {
  /** Places of its bags among those evaluated. */
  readonly bags: readonly number[];
}

/** The bootstrap of every evaluation: the same model on the same bags gives the same intervals. */
const BOOTSTRAP_SEED = 1n;

/**
 * Scores labelled bags and measures how well the model does, with intervals. Deterministic. `censoring` of survival: `training` where the bags
 * are of the source of the training part; a package that does not say how that was censored leaves it at `evaluated`, as the report tells.
 *
 * @throws {DomainError} `INVALID_ARGUMENT` for a label that is not the task's; `NON_FINITE` naming the bag by its index when the model
 * says nothing finite of it; `PRECONDITION_FAILED` and `GEOMETRY_MISMATCH` as `predictBag`; what store and engine throw.
 */
export async function evaluateModel(
  deps: EvaluateDeps,
  loaded: LoadedModel,
  bags: readonly EvaluatedBag[],
  signal: AbortSignal,
  censoring: CensoringSource = "evaluated",
): Promise<ModelEvaluation> {
  decidingGraph(loaded);
  const { task } = loaded.model.config;
  for (const { label } of bags) assertLabel(task, label);
  const groups = groupsOf(loaded, bags);
  const refs = bags.map(({ bag }) => bag);
  const inputs = await mapBags(refs, (ref) => readServingInput(deps.store, ref, loaded, signal), signal);
  const scores = await scoreInputs(deps, loaded, inputs, signal);
  const alone = bags.map((_, place) => [place]);
  const members = groups?.groups ?? alone;
  const isJoined = groups?.rule.kind === "joined";
  const joined = await withScratch(deps, (name) => {
    const whole = (group: BagGroup) =>
      joinServing(
        group.flatMap((place) => inputs[place] ?? []),
        loaded.model,
        name,
      );
    const wholes = isJoined ? members.map(whole) : [];
    const firsts = members.map(([place = -1]) => place);
    return scoreInputs(deps, loaded, wholes, signal, firsts);
  });
  const cases = (isJoined ? members : alone).flatMap(([place = -1], i): ScoredCase[] => {
    const [bag, score] = [bags[place], (isJoined ? joined : scores)[i]];
    return bag === undefined || score === undefined ? [] : [{ patient: bag.patient, label: bag.label, ...score }];
  });
  const { thresholds } = loaded.manifest;
  const grouped = isJoined ? { ...groups, groups: cases.map((_, i) => [i]), nBags: bags.length } : groups;
  const counted = groupCases(task, cases, grouped).speakers.map(({ logits, answer }, i) => {
    const of = members[i] ?? [];
    const typicality = mostUnusual(isJoined ? joined.slice(i, i + 1) : of.flatMap((place) => scores[place] ?? []));
    return {
      bags: of,
      logits,
      answer,
      seen: worstSeen(of.flatMap((place) => inputs[place]?.seen ?? [])),
      ...describeCertainty(loaded, answer, undefined),
      ...(typicality && { typicality }),
    };
  });
  const { baseline } = loaded.manifest.survival ?? {};
  const steps = censoring === "training" ? censoringOfFacts(loaded.manifest.survival) : undefined;
  const options = {
    thresholds,
    seed: BOOTSTRAP_SEED,
    ...(steps && { censoring: curveOfCensoring(steps) }),
    ...(baseline && { baseline }),
  };
  const report = reportOnGroups(task, cases, grouped, options);
  return { report, scores, cases: counted };
}

/** Scores of inputs, in their order; `places`: where they are among the bags evaluated, a group where its first bag is. */
async function scoreInputs(
  deps: EvaluateDeps,
  loaded: LoadedModel,
  inputs: readonly ServingInput[],
  signal: AbortSignal,
  places: readonly number[] = [...inputs.keys()],
): Promise<CertainScore[]> {
  const { task } = loaded.model.config;
  const scorer = await createScorer(loaded, inputs, { signal, measures: true });
  const runs = inputs.flatMap((input) => measuredApart(scorer.runs(input, scoreFetches(task)), loaded));
  const scores: CertainScore[] = [];
  let measured: Pick<RunResult, "outputs"> | undefined;
  try {
    for await (const { results } of runGroupsInChunks(runs, { ...deps, signal })) {
      for (const result of results) {
        if (result.outputs.logits === undefined) measured = result;
        else {
          const score = scoreFrom(task, result.outputs, places[scores.length]);
          const seen = inputs[scores.length]?.seen ?? "unknown";
          scores.push({ ...score, seen, ...describeCertainty(loaded, score.answer, measured) });
        }
      }
    }
  } finally {
    await deps.engine.dropResident(scorer.scratchName).catch(() => undefined);
  }
  return scores;
}

/** The runs of a bag, the last of which scores it, so that the result of the one that measures before it is told too. */
function measuredApart(runs: readonly RunRequest[], { usual }: LoadedModel): (readonly RunRequest[])[] {
  // What lies in the engine between the two has a name that is this evaluation's alone.
  return usual === undefined ? [runs] : [runs.slice(0, -1), runs.slice(-1)];
}

/** Does something with a name of its own in the engine, and forgets what lies there. */
async function withScratch<T>({ engine }: EvaluateDeps, work: (name: string) => Promise<T>): Promise<T> {
  const name = `evaluate/${randomUUID()}`;
  try {
    return await work(name);
  } finally {
    await engine.dropResident(name).catch(() => undefined);
  }
}

/** Groups as the model was trained on them. @throws {DomainError} `INVALID_ARGUMENT` for a group of two labels. */
function groupsOf({ manifest, model }: LoadedModel, bags: readonly EvaluatedBag[]): ReportGroups | null {
  const rule = groupRuleOf(manifest.spec);
  if (rule === undefined) return null;
  const groups = groupBags(bags, [...bags.keys()], rule);
  const labels = bags.map(({ label }) => label);
  assertGroupsFit(model.config.task, rule, groups, labels);
  return { groups, rule };
}
