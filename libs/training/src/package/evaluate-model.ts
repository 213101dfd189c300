import type { BagRef } from "@parfocal/bags";
import type { RunRequest } from "@parfocal/engine";
import type { CasePrediction, EvaluationReport } from "@parfocal/metrics";
import { assertSourceFits, type BagInput, readBagInputs } from "../bag-inputs.ts";
import { reportOn } from "../finish.ts";
import { floatsFromHostTensor } from "../host-tensor.ts";
import { runInChunks } from "../run-in-chunks.ts";
import { assertLabel, type Label } from "../target.ts";
import type { LoadedModel } from "./load-model.ts";
import type { PredictDeps } from "./predict-bag.ts";

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
  const inputs = await readBagInputs(deps.store, refs, loaded.model, signal);
  for (const { metadata } of inputs) assertSourceFits(loaded.manifest.expects, metadata);
  const probabilities: number[][] = [];
  for await (const { results } of runInChunks(runsOf(loaded, inputs), { ...deps, signal })) {
    for (const { outputs } of results) {
      probabilities.push(Array.from(floatsFromHostTensor(outputs.probabilities, "probabilities")));
    }
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

function* runsOf({ aggregate }: LoadedModel, inputs: readonly BagInput[]): Generator<RunRequest, void, undefined> {
  for (const { feeds } of inputs) yield { graph: aggregate, feeds, fetches: { probabilities: { kind: "inline" } } };
}
