import { DomainError, mapBounded } from "@parfocal/errors";
import { type commonV1, gatewayV1 } from "@parfocal/protocol";
import type { Json, StepContext, Workflow, WorkflowContext } from "@parfocal/workflows";
import { drawFolds } from "../crossval/draw-folds.ts";
import {
  CONCURRENT_READS,
  type CrossValidateDeps,
  type FoldId,
  type FoldRun,
  nameOfFold,
  namingFold,
  type TestedFold,
} from "../crossval/fold-run.ts";
import { publishFolds } from "../crossval/publish-folds.ts";
import { createPartsReader, foldsKey, writeFolds } from "../crossval/stored-folds.ts";
import { measureRepeat, testFold } from "../crossval/test-fold.ts";
import { trainFold } from "../crossval/train-fold.ts";
import { mapSteps } from "./map-steps.ts";
import { MAX_STAGE_ATTEMPTS } from "./stage-steps.ts";
import { createTally } from "./tally.ts";
import { resolveLabelled, resolveStart } from "./training-request.ts";

/** Share of a fold's training patients that validates, as the contract's `Split` says. */
const DEFAULT_VALIDATION_FRACTION = 0.15;

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
    const { folds, imbalance } = await context.step("folds", (step) => draw(deps, context, request, task, step));
    const partsOf = createPartsReader(deps.store, foldsKey(context));
    const run: FoldRun = { deps, context, request, task, start, tally: createTally(folds.length), partsOf };
    const tested = await mapSteps(folds, deps.concurrentFolds, (fold, index) => runFold(run, fold, index));
    const repeats = [...new Set(folds.map(({ repeat }) => repeat))];
    const pooled: Json[] = [];
    for (const repeat of repeats) {
      const own = tested.filter(({ fold }) => fold.repeat === repeat);
      const work = (step: StepContext) => measureRepeat(run, own, step);
      pooled.push(await context.step(`measure-r${repeat}`, work, { maxAttempts: MAX_STAGE_ATTEMPTS }));
    }
    return context.step("publish", (step) => publishFolds(run, { tested, pooled, imbalance }, step));
  };
}

async function runFold(run: FoldRun, fold: FoldId, index: number): Promise<TestedFold> {
  const { context, tally } = run;
  const retries = { maxAttempts: MAX_STAGE_ATTEMPTS };
  const name = nameOfFold(fold);
  const train = (step: StepContext) => namingFold(fold, () => trainFold(run, fold, index, step));
  const published = await context.step(`train-${name}`, train, retries);
  const test = (step: StepContext) => namingFold(fold, () => testFold(run, fold, published, step));
  const evaluation = await context.step(`test-${name}`, test, retries);
  tally.finish(index, false);
  return { fold, published, evaluation };
}

/** What the journal has of the folds; their parts, a letter for each bag, are an object. */
interface FoldsEntry {
  readonly folds: readonly (FoldId & { readonly [key: string]: Json })[];
  /** Of folds that keep sites whole; journals of older gateways have none. */
  readonly imbalance?: number;
  readonly [key: string]: Json;
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
  const { folds, imbalance } = drawFolds({
    ...{ bags, task, nFolds: request.folds, nRepeats: Math.max(1, request.repeats), fixedFolds: request.fixedFolds },
    sites: request.sites,
    validationFraction: request.spec?.split?.validationFraction ?? DEFAULT_VALIDATION_FRACTION,
    seed: request.spec?.recipe?.seed ?? 0n,
  });
  await writeFolds(deps.store, foldsKey(context), folds, { signal });
  const drawn = folds.map(({ repeat, fold }) => ({ repeat, fold }));
  return imbalance === undefined ? { folds: drawn } : { folds: drawn, imbalance };
}
