import type { BagRef } from "@parfocal/bags";
import type { CasePrediction, EvaluationReport } from "@parfocal/metrics";
import { mapBags } from "../bag-inputs.ts";
import { reportOn } from "../finish.ts";
import { floatsFromHostTensor } from "../host-tensor.ts";
import { runGroupsInChunks } from "../run-in-chunks.ts";
import { assertLabel, type Label } from "../target.ts";
import type { LoadedModel } from "./load-model.ts";
import type { PredictDeps } from "./predict-bag.ts";
import { createScorer, readServingInput } from "./serving-input.ts";

/** What {@link evaluateModel} runs on. */
export interface EvaluateDeps extends PredictDeps {
  /** A clock in milliseconds; decides only how many runs travel together. */
  nowMs(): number;
}

/** How a model does on labelled bags. */
export interface ModelEvaluation {
  /** With the thresholds frozen in the model. */
  readonly report: EvaluationReport;
  /** `[C]` by bag, in their order. */
  readonly probabilities: readonly (readonly number[])[];
}

/** The bootstrap of every evaluation: the same model on the same bags gives the same intervals. */
const BOOTSTRAP_SEED = 1n;

/**
 * Scores labelled bags and measures how well the model does, with intervals. Deterministic.
 *
 * @throws {DomainError} `INVALID_ARGUMENT` for a label that is not the task's; `GEOMETRY_MISMATCH` as `predictBag`; what
 * store and engine throw.
 */
export async function evaluateModel(
  deps: EvaluateDeps,
  loaded: LoadedModel,
  bags: readonly { readonly bag: BagRef; readonly label: Label; readonly patient: string }[],
  signal: AbortSignal,
): Promise<ModelEvaluation> {
  const { task } = loaded.model.config;
  for (const { label } of bags) assertLabel(task, label);
  const refs = bags.map(({ bag }) => bag);
  const inputs = await mapBags(refs, (ref) => readServingInput(deps.store, ref, loaded, signal), signal);
  const scorer = await createScorer(loaded, inputs, signal);
  const groups = inputs.map((input) => scorer.runs(input, { probabilities: { kind: "inline" } }));
  const probabilities: number[][] = [];
  try {
    for await (const { results } of runGroupsInChunks(groups, { ...deps, signal })) {
      for (const { outputs } of results) {
        probabilities.push(Array.from(floatsFromHostTensor(outputs.probabilities, "probabilities")));
      }
    }
  } finally {
    await deps.engine.dropResident(scorer.scratchName).catch(() => undefined);
  }
  const cases = bags.map(
    ({ label, patient }, i): CasePrediction => ({
      patient,
      label,
      probabilities: probabilities[i] ?? null,
    }),
  );
  return { report: reportOn(task, cases, loaded.manifest.thresholds, BOOTSTRAP_SEED), probabilities };
}
