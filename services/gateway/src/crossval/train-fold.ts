import { mapBounded } from "@parfocal/errors";
import { aggregateV1, commonV1 } from "@parfocal/protocol";
import { uriFromKey } from "@parfocal/store";
import type { Json, StepContext } from "@parfocal/workflows";
import { keys } from "../catalog/keys.ts";
import { followTraining, resolveLabelled } from "../workflows/training-request.ts";
import { partOfLetter } from "./draw-folds.ts";
import { CONCURRENT_READS, type FoldId, type FoldRun, nameOfFold, versionOfFold } from "./fold-run.ts";

/** Trains a fold on the stage; gives the `PublishedEvent` in the contract's JSON. `index`: its place among all folds. */
export async function trainFold(run: FoldRun, fold: FoldId, index: number, step: StepContext): Promise<Json> {
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
    checkpointUri: uriFromKey(deps.store, `${keys.foldFolder(project, operationId, nameOfFold(fold))}/checkpoints`),
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
function packageFolder({ context, request }: FoldRun, fold: FoldId): string {
  const { project, operationId } = context;
  return request.keepAs === ""
    ? `${keys.foldFolder(project, operationId, nameOfFold(fold))}/model`
    : keys.packageFolder(project, request.keepAs, versionOfFold(operationId, fold));
}
