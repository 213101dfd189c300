import type { RunRequest } from "@parfocal/engine";
import { type BagGroup, labelOfGroup, learningBag, plainLoss } from "./bag-groups.ts";
import type { RunMaker, Update } from "./epoch-runs.ts";
import { floatsFromHostTensor } from "./host-tensor.ts";
import { type ChunkOptions, type ChunkResult, runInChunks } from "./run-in-chunks.ts";
import type { TrainingState } from "./training-state.ts";

/**
 * Runs all updates of the epoch after `state`, giving results as they come. Before an update that has groups of several bags,
 * these are scored by the weights as they stand then, without dropout, and the one that learns is chosen here.
 *
 * @throws {DomainError} As `runInChunks`.
 */
export async function* runUpdates(
  maker: RunMaker,
  state: TrainingState,
  options: ChunkOptions,
): AsyncGenerator<ChunkResult["results"], void, undefined> {
  const updates = maker.updates(state);
  const queue: { decided: Iterable<RunRequest>; undecided: Update | undefined } = { decided: [], undecided: undefined };
  function* untilUndecided(): Generator<RunRequest, void, undefined> {
    yield* queue.decided;
    queue.undecided = undefined;
    for (const update of resumed(updates)) {
      if (update.undecided.length > 0) {
        queue.undecided = update;
        return;
      }
      yield* update.runs(new Map());
    }
  }
  do {
    for await (const { results } of runInChunks(untilUndecided(), options)) yield results;
    if (queue.undecided !== undefined)
      queue.decided = queue.undecided.runs(await choose(maker, queue.undecided, options));
  } while (queue.undecided !== undefined);
}

/** An iterator that a loop may leave without ending it. */
function resumed<T>(iterator: Iterator<T, void, undefined>): Iterable<T> {
  return { [Symbol.iterator]: () => ({ next: () => iterator.next() }) };
}

/** The bag of each undecided group that learns. */
async function choose(
  maker: RunMaker,
  { undecided }: Update,
  options: ChunkOptions,
): Promise<ReadonlyMap<BagGroup, number>> {
  const { job, model, spec } = maker.plan;
  const losses: number[] = [];
  const rows = undecided.flat();
  for await (const { results } of runInChunks(maker.logitRuns(rows), options)) {
    for (const { outputs } of results) {
      const label = job.bags[rows[losses.length] ?? -1]?.label ?? 0;
      losses.push(plainLoss(model.config.task, label, floatsFromHostTensor(outputs.logits, "logits")));
    }
  }
  return new Map(
    undecided.map((group) => {
      const ofGroup = losses.splice(0, group.length);
      return [group, learningBag(group, ofGroup, spec.groups, labelOfGroup(job.bags, group))];
    }),
  );
}
