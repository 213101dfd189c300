import { DomainError, mapBounded } from "@parfocal/errors";
import { aggregateV1, commonV1 } from "@parfocal/protocol";
import type { ObjectStore } from "@parfocal/store";
import type { Json, StepContext, WorkflowContext } from "@parfocal/workflows";
import { readJson, writeJson } from "../catalog/json-objects.ts";
import { keys } from "../catalog/keys.ts";
import { STAGE_TIMEOUT_MS } from "../workflows/stage-steps.ts";
import { resolveLabelled } from "../workflows/training-request.ts";
import { CONCURRENT_READS, type FoldId, type FoldRun, nameOfFold, rowsOf, type TestedFold } from "./fold-run.ts";

/** What a fold's model says of the bags that test. */
export interface FoldAnswers {
  /** By bag that tests, `Prediction` in JSON. */
  readonly predictions: readonly Json[];
  /** What counts once: places among the bags that test, and the `Prediction`. */
  readonly cases: readonly { readonly bags: readonly number[]; readonly prediction: Json }[];
}

/** Tests a fold's model on the stage and keeps what it says; gives the `Evaluation` in the contract's JSON. */
export async function testFold(run: FoldRun, fold: FoldId, published: Json, { signal }: StepContext): Promise<Json> {
  const { deps, context, request } = run;
  const rows = rowsOf(await run.partsOf(fold, signal), commonV1.Part.PART_TEST);
  const bags = await mapBounded(rows, CONCURRENT_READS, (row) =>
    resolveLabelled(deps, context.project, request.bags[row]!, signal),
  );
  const { model } = aggregateV1.PublishedEvent.fromJSON(published);
  // Folds are drawn of one data set: its training part tells how the test part was censored.
  const censoring = commonV1.Evaluation_Censoring.CENSORING_TRAINING;
  const tested = await deps.aggregate.evaluate({ model, bags, censoring }, { signal, timeoutMs: STAGE_TIMEOUT_MS });
  if (tested.evaluation === undefined) throw new DomainError("INTERNAL", "the stage answered without an evaluation");
  const answers: FoldAnswers = {
    predictions: tested.predictions.map((each) => commonV1.Prediction.toJSON(each) as Json),
    cases: tested.cases.map(({ bags: places, prediction }) => {
      const said = prediction ?? commonV1.Prediction.fromPartial({});
      return { bags: places, prediction: commonV1.Prediction.toJSON(said) as Json };
    }),
  };
  await writeJson(deps.store, answersKey(context, fold), answers, { signal });
  return commonV1.Evaluation.toJSON(tested.evaluation) as Json;
}

function answersKey({ project, operationId }: WorkflowContext, fold: FoldId): string {
  return `${keys.foldFolder(project, operationId, nameOfFold(fold))}/answers.json`;
}

/** What a tested fold's model says. @throws {DomainError} `CORRUPT` when it is not there; the store's own codes. */
export async function readAnswers(
  store: ObjectStore,
  context: WorkflowContext,
  fold: FoldId,
  signal: AbortSignal,
): Promise<FoldAnswers> {
  const found = await readJson(store, answersKey(context, fold), (json) => json as FoldAnswers, { signal });
  if (found === undefined) throw new DomainError("CORRUPT", "the store lost what the model of a tested fold says");
  return found.value;
}

/** Measures the predictions of a repeat's folds together; gives the `Evaluation` in the contract's JSON. */
export async function measureRepeat(
  run: FoldRun,
  tested: readonly TestedFold[],
  { signal, report }: StepContext,
): Promise<Json> {
  const { deps, context, request, task, tally } = run;
  report({ phase: "measuring", ...tally.progress() });
  const cases: aggregateV1.MeasuredCase[] = [];
  for (const { fold } of tested) {
    const rows = rowsOf(await run.partsOf(fold, signal), commonV1.Part.PART_TEST);
    const answers = await readAnswers(deps.store, context, fold, signal);
    for (const { bags, prediction } of answers.cases) {
      const labelled = request.bags[rows[bags[0] ?? -1] ?? -1];
      if (labelled === undefined) throw new DomainError("CORRUPT", "a fold's model speaks of a bag that is none of it");
      const truth = { ...(await resolveLabelled(deps, context.project, labelled, signal)), bag: undefined };
      cases.push({ truth, prediction: commonV1.Prediction.fromJSON(prediction) });
    }
  }
  const { evaluation } = await deps.aggregate.measure({ task, cases }, { signal, timeoutMs: STAGE_TIMEOUT_MS });
  if (evaluation === undefined) throw new DomainError("INTERNAL", "the stage answered without an evaluation");
  return commonV1.Evaluation.toJSON(evaluation) as Json;
}
