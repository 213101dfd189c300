import { DomainError } from "@parfocal/errors";
import { aggregateV1, commonV1, gatewayV1, parseResourceName, resourceName, timestampFromMs } from "@parfocal/protocol";
import { type ObjectStore, uriFromKey } from "@parfocal/store";
import type { Json, StepContext, Workflow, WorkflowContext } from "@parfocal/workflows";
import { writeResult, writeResultTable } from "../batch/result-tables.ts";
import { readJson, writeJson } from "../catalog/json-objects.ts";
import { keys } from "../catalog/keys.ts";
import { mapBounded } from "../catalog/pages.ts";
import { type DrawnFold, drawFolds, partOfLetter } from "../crossval/draw-folds.ts";
import { type FoldBag, type FoldPrediction, foldPredictionsTable } from "../crossval/fold-predictions.ts";
import { readFolds, writeFolds } from "../crossval/stored-folds.ts";
import type { GatewayDeps } from "../deps.ts";
import { createTally, type Tally } from "./tally.ts";
import { followTraining, MAX_STAGE_ATTEMPTS, resolveLabelled, resolveStart } from "./train.ts";

/** What cross-validations work with. */
export interface CrossValidateDeps extends Pick<GatewayDeps, "store" | "bags" | "models" | "aggregate"> {
  /** Folds that train at a time: one for each replica of the stage. */
  readonly concurrentFolds: number;
}

/** Catalog entries read at a time. */
const CONCURRENT_READS = 32;

/** Share of a fold's training patients that validates, as the contract's `Split` says. */
const DEFAULT_VALIDATION_FRACTION = 0.15;

/** Longest wait for the predictions of a fold, ms: the most that a stage allows. */
const TEST_TIMEOUT_MS = 3_600_000;

/** One operation's run. */
interface Run {
  readonly deps: CrossValidateDeps;
  readonly context: WorkflowContext;
  readonly request: gatewayV1.CrossValidateRequest;
  readonly task: commonV1.Task;
  readonly start: Json;
  readonly tally: Tally;
  /** The parts of a fold; read from the store at the first call. */
  partsOf(fold: FoldId, signal: AbortSignal): Promise<DrawnFold>;
}

/**
 * Cross-validates: a step that draws the folds, two per fold (train, test), one per repeat that measures the predictions of all its
 * folds together, and one that writes the results. Folds train side by side on as many stages as there are.
 */
export function createCrossValidateWorkflow(deps: CrossValidateDeps): Workflow<Json, Json> {
  return async (context, input) => {
    const request = gatewayV1.CrossValidateRequest.fromJSON(input);
    const task = request.spec?.task;
    if (task === undefined) throw new DomainError("INVALID_ARGUMENT", "spec.task is missing");
    const start =
      request.startFrom === "" ? null : await context.step("start", (step) => resolveStart(deps, request, step));
    const { folds } = await context.step("folds", (step) => draw(deps, context, request, task, step));
    const partsOf = createPartsReader(deps.store, foldsKey(context));
    const run: Run = { deps, context, request, task, start, tally: createTally(folds.length), partsOf };
    const tested = await mapBounded(folds, deps.concurrentFolds, (fold, index) => runFold(run, fold, index));
    const repeats = [...new Set(folds.map(({ repeat }) => repeat))];
    const pooled: Json[] = [];
    for (const repeat of repeats) {
      const own = tested.filter(({ fold }) => fold.repeat === repeat);
      const work = (step: StepContext) => measureRepeat(run, own, step);
      pooled.push(await context.step(`measure-r${repeat}`, work, { maxAttempts: MAX_STAGE_ATTEMPTS }));
    }
    return context.step("publish", (step) => publish(run, tested, pooled, step));
  };
}

/** Which fold, both from 1. */
type FoldId = Pick<DrawnFold, "repeat" | "fold">;

/** What the journal has of the folds; their parts, a letter for each bag, are an object. */
interface FoldsEntry {
  readonly folds: readonly (FoldId & { readonly [key: string]: Json })[];
  readonly [key: string]: Json;
}

function foldsKey({ project, operationId }: WorkflowContext): string {
  return `${keys.foldFolder(project, operationId, "all")}/parts.json`;
}

function createPartsReader(store: ObjectStore, key: string): Run["partsOf"] {
  let reading: Promise<readonly DrawnFold[]> | undefined;
  return async ({ repeat, fold }, signal) => {
    reading ??= readFolds(store, key, { signal });
    try {
      const found = (await reading).find((each) => each.repeat === repeat && each.fold === fold);
      if (found !== undefined) return found;
    } catch (error) {
      reading = undefined;
      throw error;
    }
    throw new DomainError("CORRUPT", `the store lost the parts of repeat ${repeat}, fold ${fold}`);
  };
}

async function draw(
  deps: CrossValidateDeps,
  context: WorkflowContext,
  request: gatewayV1.CrossValidateRequest,
  task: commonV1.Task,
  { signal, report }: StepContext,
): Promise<FoldsEntry> {
  const { project } = context;
  report({ phase: "drawing folds", fraction: 0 });
  const bags = await mapBounded(request.bags, CONCURRENT_READS, (bag) => resolveLabelled(deps, project, bag, signal));
  const folds = drawFolds({
    ...{ bags, task, nFolds: request.folds, nRepeats: Math.max(1, request.repeats), fixedFolds: request.fixedFolds },
    sites: request.sites,
    validationFraction: request.spec?.split?.validationFraction ?? DEFAULT_VALIDATION_FRACTION,
    seed: request.spec?.recipe?.seed ?? 0n,
  });
  await writeFolds(deps.store, foldsKey(context), folds, { signal });
  return { folds: folds.map(({ repeat, fold }) => ({ repeat, fold })) };
}

/** A fold with what came of it, as the journal has it. */
interface TestedFold {
  readonly fold: FoldId;
  /** `PublishedEvent` in the contract's JSON. */
  readonly published: Json;
  /** `Evaluation` in the contract's JSON. */
  readonly evaluation: Json;
}

/** What a fold's model says of the bags that test. */
interface FoldAnswers {
  /** By bag that tests, `Prediction` in JSON. */
  readonly predictions: readonly Json[];
  /** What counts once: places among the bags that test, and the `Prediction`. */
  readonly cases: readonly { readonly bags: readonly number[]; readonly prediction: Json }[];
}

const nameOf = ({ repeat, fold }: FoldId): string => `r${repeat}-f${fold}`;

/** Places in the request of the bags that have a part in a fold. */
function rowsOf({ parts }: DrawnFold, part: commonV1.Part): number[] {
  return [...parts].flatMap((letter, row) => (partOfLetter(letter) === part ? [row] : []));
}

async function runFold(run: Run, fold: FoldId, index: number): Promise<TestedFold> {
  const { context, tally } = run;
  const retries = { maxAttempts: MAX_STAGE_ATTEMPTS };
  const name = nameOf(fold);
  const published = await context.step(`train-${name}`, (step) => trainFold(run, fold, index, step), retries);
  const evaluation = await context.step(`test-${name}`, (step) => testFold(run, fold, published, step), retries);
  tally.finish(index, false);
  return { fold, published, evaluation };
}

async function trainFold(run: Run, fold: FoldId, index: number, step: StepContext): Promise<Json> {
  const { deps, context, request, start, tally } = run;
  const { signal } = step;
  const { project, operationId } = context;
  const { parts } = await run.partsOf(fold, signal);
  const bags = await mapBounded(request.bags, CONCURRENT_READS, async (bag, row) => {
    const labelled = await resolveLabelled(deps, project, bag, signal);
    return { ...labelled, part: partOfLetter(parts[row]) };
  });
  const stageRequest: aggregateV1.TrainRequest = {
    bags,
    spec: request.spec,
    packageUri: uriFromKey(deps.store, packageFolder(run, fold)),
    checkpointUri: uriFromKey(deps.store, `${keys.foldFolder(project, operationId, nameOf(fold))}/checkpoints`),
    startFrom: start === null ? undefined : commonV1.ModelReference.fromJSON(start),
  };
  const onEpoch = ({ epoch, epochCount, trainLoss, validationLoss, validationAuroc }: commonV1.EpochReport) => {
    tally.advance(index, epoch / (epochCount + 1));
    const { counters, ...progress } = tally.progress();
    const optional = { validation_loss: validationLoss, validation_auroc: validationAuroc };
    const known = Object.entries(optional).filter((entry): entry is [string, number] => entry[1] !== undefined);
    const figures = { repeat: fold.repeat, fold: fold.fold, epoch, train_loss: trainLoss };
    const phase = `repeat ${fold.repeat}, fold ${fold.fold}: epoch ${epoch} of ${epochCount}`;
    step.report({ phase, ...progress, counters: { ...counters, ...figures, ...Object.fromEntries(known) } });
  };
  return aggregateV1.PublishedEvent.toJSON(await followTraining(deps, stageRequest, onEpoch, signal)) as Json;
}

/** Kept models lie where models lie; others among the operation's temporary objects. */
function packageFolder({ context, request }: Run, fold: FoldId): string {
  const { project, operationId } = context;
  return request.keepAs === ""
    ? `${keys.foldFolder(project, operationId, nameOf(fold))}/model`
    : keys.packageFolder(project, request.keepAs, versionOf(operationId, fold));
}

function versionOf(operationId: string, fold: FoldId): string {
  return `${operationId}-${nameOf(fold)}`;
}

async function testFold(run: Run, fold: FoldId, published: Json, { signal }: StepContext): Promise<Json> {
  const { deps, context, request } = run;
  const rows = rowsOf(await run.partsOf(fold, signal), commonV1.Part.PART_TEST);
  const bags = await mapBounded(rows, CONCURRENT_READS, (row) =>
    resolveLabelled(deps, context.project, request.bags[row]!, signal),
  );
  const { model } = aggregateV1.PublishedEvent.fromJSON(published);
  const tested = await deps.aggregate.evaluate({ model, bags }, { signal, timeoutMs: TEST_TIMEOUT_MS });
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
  return `${keys.foldFolder(project, operationId, nameOf(fold))}/answers.json`;
}

async function readAnswers(
  store: ObjectStore,
  context: WorkflowContext,
  fold: FoldId,
  signal: AbortSignal,
): Promise<FoldAnswers> {
  const found = await readJson(store, answersKey(context, fold), (json) => json as FoldAnswers, { signal });
  if (found === undefined) throw new DomainError("CORRUPT", "the store lost what the model of a tested fold says");
  return found.value;
}

/** Measures the predictions of a repeat's folds together. */
async function measureRepeat(run: Run, tested: readonly TestedFold[], { signal, report }: StepContext): Promise<Json> {
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
  const { evaluation } = await deps.aggregate.measure({ task, cases }, { signal, timeoutMs: TEST_TIMEOUT_MS });
  if (evaluation === undefined) throw new DomainError("INTERNAL", "the stage answered without an evaluation");
  return commonV1.Evaluation.toJSON(evaluation) as Json;
}

async function publish(
  run: Run,
  tested: readonly TestedFold[],
  pooledJson: readonly Json[],
  { signal, report }: StepContext,
): Promise<Json> {
  const { deps, context, request, task, tally } = run;
  const { project, operationId } = context;
  report({ phase: "writing the results", ...tally.progress() });
  const pooled = pooledJson.map((json) => commonV1.Evaluation.fromJSON(json));
  const folds = await mapBounded(tested, CONCURRENT_READS, (each) => reportOf(run, each, signal));
  if (request.keepAs !== "") for (const each of tested) await keepModel(run, each, signal);
  const table = foldPredictionsTable(task, await foldBags(run, signal), await allPredictions(run, tested, signal));
  const folder = keys.resultFolder(project, operationId);
  const predictions = await writeResultTable(deps.store, folder, { name: "predictions", table }, { signal });
  const everything = { spec: request.spec, folds, pooled };
  const json = JSON.stringify(gatewayV1.CrossValidationReport.toJSON(everything));
  const evaluation = await writeResult(deps.store, `${folder}/evaluation.json`, new TextEncoder().encode(json), {
    ...{ contentType: "application/json", signal },
  });
  const results = folds.flatMap(({ result }) => (result === undefined ? [] : [result]));
  const response: gatewayV1.CrossValidateResponse = { folds: results, pooled, predictions, evaluation };
  return gatewayV1.CrossValidateResponse.toJSON(response) as Json;
}

async function reportOf(run: Run, tested: TestedFold, signal: AbortSignal): Promise<gatewayV1.FoldReport> {
  const { context, request } = run;
  const { fold, published, evaluation } = tested;
  const { project, operationId } = context;
  const drawn = await run.partsOf(fold, signal);
  const { validation, history, reembedder, head, parameterCount } = aggregateV1.PublishedEvent.fromJSON(published);
  const { PART_TRAIN, PART_VALIDATION, PART_TEST } = commonV1.Part;
  const version = versionOf(operationId, fold);
  const result: gatewayV1.FoldResult = {
    ...{ repeat: fold.repeat, fold: fold.fold },
    trainCount: rowsOf(drawn, PART_TRAIN).length,
    validationCount: rowsOf(drawn, PART_VALIDATION).length,
    testCount: rowsOf(drawn, PART_TEST).length,
    test: commonV1.Evaluation.fromJSON(evaluation),
    validation,
    model: request.keepAs === "" ? "" : resourceName("modelVersion", { project, model: request.keepAs, version }),
  };
  return { result, history, reembedder, head, parameterCount };
}

/** Enters a fold's model into the catalog; one that is there stays as it is. */
async function keepModel(run: Run, { fold, published }: TestedFold, signal: AbortSignal): Promise<void> {
  const { deps, context, request, task } = run;
  const { project, operationId } = context;
  const version = versionOf(operationId, fold);
  const { model: reference, ...known } = aggregateV1.PublishedEvent.fromJSON(published);
  const model = gatewayV1.Model.fromPartial({
    ...{ ...known, reference, task },
    name: resourceName("modelVersion", { project, model: request.keepAs, version }),
    createTime: timestampFromMs(Date.now()),
  });
  await deps.models.publish(project, request.keepAs, version, model, { signal });
}

function foldBags({ deps, context, request }: Run, signal: AbortSignal): Promise<FoldBag[]> {
  return mapBounded(request.bags, CONCURRENT_READS, async (labelled) => {
    const { bag } = parseResourceName("bag", labelled.bag, "bags.bag");
    const { metadata } = await deps.bags.get(context.project, bag, { signal });
    const { slideId = "", patientId = "" } = metadata;
    return { ...labelled, slideId, patientId: labelled.patientId || patientId };
  });
}

/** What was said of every bag, repeat by repeat, in the order of the request. */
async function allPredictions(
  { deps, context, partsOf }: Run,
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
