import { mapBounded } from "@parfocal/errors";
import { aggregateV1, commonV1, gatewayV1, parseResourceName, resourceName, timestampFromMs } from "@parfocal/protocol";
import type { LazyTable } from "@parfocal/tables";
import type { Json, StepContext } from "@parfocal/workflows";
import { writeResult, writeResultTable } from "../batch/result-tables.ts";
import { keys } from "../catalog/keys.ts";
import {
  type FoldBag,
  type FoldDecision,
  type FoldPrediction,
  foldDecisionsTable,
  foldPredictionsTable,
} from "./fold-predictions.ts";
import { CONCURRENT_READS, type FoldRun, groupRuleOf, rowsOf, type TestedFold, versionOfFold } from "./fold-run.ts";
import { lacking } from "./lacking.ts";
import { readAnswers } from "./test-fold.ts";

/** All folds, as the journal has them. */
export interface MeasuredFolds {
  readonly tested: readonly TestedFold[];
  /** By repeat: `Evaluation` in the contract's JSON. */
  readonly pooled: readonly Json[];
  /** Of folds that keep sites whole. */
  readonly imbalance: number | undefined;
}

/** Writes predictions and evaluation, keeps the models if asked to; gives the `CrossValidateResponse` in the contract's JSON. */
export async function publishFolds(
  run: FoldRun,
  { tested, pooled: pooledJson, imbalance }: MeasuredFolds,
  { signal, report }: StepContext,
): Promise<Json> {
  const { deps, context, request, task, tally } = run;
  const { project, operationId } = context;
  report({ phase: "writing the results", ...tally.progress() });
  const pooled = pooledJson.map((json) => commonV1.Evaluation.fromJSON(json));
  const folds = await mapBounded(tested, CONCURRENT_READS, (each) => reportOf(run, each, signal));
  if (request.keepAs !== "") for (const each of tested) await keepModel(run, each, signal);
  const bags = await foldBags(run, signal);
  const folder = keys.resultFolder(project, operationId);
  const write = (name: string, table: LazyTable) => writeResultTable(deps.store, folder, { name, table }, { signal });
  const slides = foldPredictionsTable(task, bags, await allPredictions(run, tested, signal));
  const predictions = await write("predictions", slides);
  const rule = groupRuleOf(request);
  const isAlone = rule === commonV1.GroupRule_Kind.KIND_UNSPECIFIED;
  const groups = isAlone ? undefined : foldDecisionsTable(task, bags, await allDecisions(run, tested, signal));
  const decisions = groups && (await write("decisions", groups));
  const everything = { spec: request.spec, folds, pooled };
  const json = JSON.stringify(gatewayV1.CrossValidationReport.toJSON(everything));
  const evaluation = await writeResult(deps.store, `${folder}/evaluation.json`, new TextEncoder().encode(json), {
    ...{ contentType: "application/json", signal },
  });
  const results = folds.flatMap(({ result }) => (result === undefined ? [] : [result]));
  const response = { folds: results, pooled, predictions, evaluation, rule, decisions, imbalance };
  return gatewayV1.CrossValidateResponse.toJSON(response) as Json;
}

async function reportOf(run: FoldRun, tested: TestedFold, signal: AbortSignal): Promise<gatewayV1.FoldReport> {
  const { context, request } = run;
  const { fold, published, evaluation } = tested;
  const { project, operationId } = context;
  const drawn = await run.partsOf(fold, signal);
  const { validation, history, reembedder, head, parameterCount } = aggregateV1.PublishedEvent.fromJSON(published);
  const { PART_TRAIN, PART_VALIDATION, PART_TEST } = commonV1.Part;
  const version = versionOfFold(operationId, fold);
  const result: gatewayV1.FoldResult = {
    ...{ repeat: fold.repeat, fold: fold.fold },
    trainCount: rowsOf(drawn, PART_TRAIN).length,
    validationCount: rowsOf(drawn, PART_VALIDATION).length,
    testCount: rowsOf(drawn, PART_TEST).length,
    test: commonV1.Evaluation.fromJSON(evaluation),
    validation,
    trainLacks: lacking(request, rowsOf(drawn, PART_TRAIN)),
    testLacks: lacking(request, rowsOf(drawn, PART_TEST)),
    model: request.keepAs === "" ? "" : resourceName("modelVersion", { project, model: request.keepAs, version }),
  };
  return { result, history, reembedder, head, parameterCount };
}

/** Enters a fold's model into the catalog; one that is there stays as it is. */
async function keepModel(run: FoldRun, { fold, published }: TestedFold, signal: AbortSignal): Promise<void> {
  const { deps, context, request, task } = run;
  const { project, operationId } = context;
  const version = versionOfFold(operationId, fold);
  const { model: reference, ...known } = aggregateV1.PublishedEvent.fromJSON(published);
  const model = gatewayV1.Model.fromPartial({
    ...{ ...known, reference, task },
    name: resourceName("modelVersion", { project, model: request.keepAs, version }),
    createTime: timestampFromMs(Date.now()),
  });
  await deps.models.publish(project, request.keepAs, version, model, { signal });
}

function foldBags({ deps, context, request }: FoldRun, signal: AbortSignal): Promise<FoldBag[]> {
  return mapBounded(request.bags, CONCURRENT_READS, async (labelled) => {
    const { bag } = parseResourceName("bag", labelled.bag, "bags.bag");
    const { metadata } = await deps.bags.get(context.project, bag, { signal });
    const { slideId = "", patientId = "" } = metadata;
    return { ...labelled, slideId, patientId: labelled.patientId || patientId };
  });
}

/** What was said of every bag, repeat by repeat, in the order of the request. */
async function allPredictions(
  { deps, context, partsOf }: FoldRun,
  tested: readonly TestedFold[],
  signal: AbortSignal,
): Promise<FoldPrediction[]> {
  const all: FoldPrediction[] = [];
  for (const { fold } of tested) {
    const { predictions } = await readAnswers(deps.store, context, fold, signal);
    const drawn = await partsOf(fold, signal);
    for (const [place, index] of rowsOf(drawn, commonV1.Part.PART_TEST).entries()) {
      const prediction = commonV1.Prediction.fromJSON(predictions[place]);
      all.push({ repeat: fold.repeat, fold: fold.fold, index, prediction });
    }
  }
  return all.sort((a, b) => a.repeat - b.repeat || a.index - b.index);
}

/** What was decided, repeat by repeat, in the order of the first bags: the very cases that the figures count. */
async function allDecisions(
  { deps, context, partsOf }: FoldRun,
  tested: readonly TestedFold[],
  signal: AbortSignal,
): Promise<FoldDecision[]> {
  const all: FoldDecision[] = [];
  for (const { fold } of tested) {
    const { cases } = await readAnswers(deps.store, context, fold, signal);
    const rows = rowsOf(await partsOf(fold, signal), commonV1.Part.PART_TEST);
    for (const { bags, prediction } of cases) {
      const indices = bags.flatMap((place) => rows[place] ?? []);
      all.push({ repeat: fold.repeat, fold: fold.fold, indices, prediction: commonV1.Prediction.fromJSON(prediction) });
    }
  }
  const firstOf = ({ indices }: FoldDecision) => indices[0] ?? -1;
  return all.sort((a, b) => a.repeat - b.repeat || firstOf(a) - firstOf(b));
}
