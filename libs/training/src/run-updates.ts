import type { RunRequest } from "@parfocal/engine";
import type { RunMaker } from "./epoch-runs.ts";
import { floatsFromHostTensor } from "./host-tensor.ts";
import { type ChunkOptions, type ChunkResult, runInChunks } from "./run-in-chunks.ts";
import type { TrainingProgress } from "./training-state.ts";
import type { Answer, Question, Update } from "./update.ts";

/**
 * Runs all updates of the epoch after `state`, giving results as they come. An update that has a question waits for the one before it, is
 * answered by the weights as they stand then, and goes on.
 *
 * @throws {DomainError} As `runInChunks`.
 */
export async function* runUpdates(
  maker: RunMaker,
  state: TrainingProgress,
  options: ChunkOptions,
): AsyncGenerator<ChunkResult["results"], void, undefined> {
  const updates = maker.updates(state);
  const queue: { answered: Iterable<RunRequest>; waiting: Update | undefined } = { answered: [], waiting: undefined };
  function* untilQuestion(): Generator<RunRequest, void, undefined> {
    yield* queue.answered;
    queue.waiting = undefined;
    for (const update of resumed(updates)) {
      if (update.question !== undefined) {
        queue.waiting = update;
        return;
      }
      yield* update.runs({});
    }
  }
  do {
    for await (const { results } of runInChunks(untilQuestion(), options)) yield results;
    if (queue.waiting?.question !== undefined)
      queue.answered = queue.waiting.runs(await ask(queue.waiting.question, options));
  } while (queue.waiting !== undefined);
}

/** An iterator that a loop may leave without ending it. */
function resumed<T>(iterator: Iterator<T, void, undefined>): Iterable<T> {
  return { [Symbol.iterator]: () => ({ next: () => iterator.next() }) };
}

async function ask({ runs, output, answer }: Question, options: ChunkOptions): Promise<Answer> {
  const found: Float32Array[] = [];
  for await (const { results } of runInChunks(runs, options)) {
    for (const { outputs } of results) {
      if (outputs[output] !== undefined) found.push(floatsFromHostTensor(outputs[output], output));
    }
  }
  return answer(found);
}
