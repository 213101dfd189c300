import { randomUUID } from "node:crypto";
import type { BagRef } from "@parfocal/bags";
import { DomainError } from "@parfocal/errors";
import { answerFromLogits, hasClasses, type Task } from "@parfocal/models";
import { logitsOfGroup } from "../bag-groups.ts";
import { mapBags } from "../bag-inputs.ts";
import { type BagScore, scoreFetches } from "../score-outputs.ts";
import { type GroupRule, groupRuleOf } from "../train-spec.ts";
import { certaintyOf, mostUnusual } from "./certainty.ts";
import type { LoadedModel } from "./load-model.ts";
import { type BagPrediction, decide, type PredictDeps, predictBag, predictionFrom } from "./predict-bag.ts";
import { worstSeen } from "./seen-bags.ts";
import { createScorer, joinServing, readServingInput } from "./serving-input.ts";

/** Most slides of a patient. */
const MAX_SLIDES = 64;

/**
 * What a model says of a patient with several slides, by the rule for groups that it was trained with: of all tiles as one bag, of the mean or
 * the greatest of the slides' logits, or as its most positive slide does. One slide is that slide. How unusual the patient is, is how unusual the
 * most unusual slide is.
 *
 * @throws {DomainError} `PRECONDITION_FAILED` for a model that was trained slide by slide; `INVALID_ARGUMENT` for more than 64 slides; as
 * `predictBag`.
 */
export async function predictPatient(
  deps: PredictDeps,
  loaded: LoadedModel,
  refs: readonly BagRef[],
  signal?: AbortSignal,
): Promise<BagPrediction> {
  const [first, ...others] = refs;
  const options = signal ? { signal } : {};
  if (first !== undefined && others.length === 0) return predictBag(deps, loaded, first, options);
  if (refs.length > MAX_SLIDES || first === undefined)
    throw new DomainError("INVALID_ARGUMENT", `a patient has ${refs.length} slides; it is 1 to ${MAX_SLIDES}`);
  const rule = ruleOf(loaded);
  if (rule.kind === "joined") return predictJoined(deps, loaded, refs, signal);
  const predictions: BagPrediction[] = [];
  for (const ref of refs) predictions.push(await predictBag(deps, loaded, ref, options));
  return pooledPrediction(loaded, rule, predictions);
}

function ruleOf({ manifest }: LoadedModel): GroupRule {
  const rule = groupRuleOf(manifest.spec);
  if (rule !== undefined) return rule;
  const message = "the model was trained slide by slide: it has no rule for several slides of a patient";
  throw new DomainError("PRECONDITION_FAILED", message, { details: { precondition: "GROUP_RULE", subject: "model" } });
}

async function predictJoined(
  deps: PredictDeps,
  loaded: LoadedModel,
  refs: readonly BagRef[],
  signal: AbortSignal | undefined,
): Promise<BagPrediction> {
  const { task } = loaded.model.config;
  const inputs = await mapBags(refs, (ref) => readServingInput(deps.store, ref, loaded, signal), signal);
  const name = `patient/${randomUUID()}`;
  const input = joinServing(inputs, loaded.model, name);
  const scorer = await createScorer(loaded, [input], { measures: true, ...(signal && { signal }) });
  try {
    const runs = scorer.runs(input, scoreFetches(task));
    return predictionFrom(loaded, await deps.engine.run(runs, signal ? { signal } : {}), input);
  } finally {
    await deps.engine.dropResident(name).catch(() => undefined);
    await deps.engine.dropResident(scorer.scratchName).catch(() => undefined);
  }
}

function pooledPrediction(loaded: LoadedModel, rule: GroupRule, predictions: readonly BagPrediction[]): BagPrediction {
  const { task } = loaded.model.config;
  const { thresholds } = loaded.manifest;
  const { logits, answer } = pooledScore(task, rule, predictions);
  const typicality = mostUnusual(predictions);
  return {
    logits,
    answer,
    probabilities: hasClasses(task) ? answer : [],
    decision: decide(task, answer, thresholds),
    thresholds,
    seen: worstSeen(predictions.map(({ seen }) => seen)),
    ...certaintyOf(loaded, answer, undefined),
    ...(typicality && { typicality }),
    engineMs: predictions.reduce((sum, { engineMs }) => sum + engineMs, 0),
  };
}

/** A group's score by the scores of its bags. */
function pooledScore(task: Task, rule: GroupRule, bags: readonly BagScore[]): BagScore {
  const logits = logitsOfGroup(
    task,
    rule,
    bags.map((bag) => bag.logits),
  );
  // The very answer of the graph where one bag speaks.
  const speaker = bags.find((bag) => bag.logits === logits);
  return speaker ?? { logits: Array.from(logits), answer: answerFromLogits(task, logits) };
}
