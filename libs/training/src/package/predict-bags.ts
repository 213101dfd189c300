import type { BagRef } from "@parfocal/bags";
import type { RunRequest, RunResult } from "@parfocal/engine";
import { DomainError, type DomainErrorCode, isDomainError } from "@parfocal/errors";
import { scoreFetches } from "../score-outputs.ts";
import { decidingGraph, type LoadedModel } from "./load-model.ts";
import { type BagPrediction, type PredictDeps, predictionFrom } from "./predict-bag.ts";
import { createScorer, readServingInput, type Scorer, type ServingInput } from "./serving-input.ts";

/** What came of one of many bags. */
export type BagOutcome =
  | { readonly kind: "prediction"; readonly index: number; readonly prediction: BagPrediction }
  /** The error is about the bag, or the bag alone made the engine fail. */
  | { readonly kind: "failure"; readonly index: number; readonly error: DomainError };

/** A message takes bags until they have this many tiles: others that wait for the engine wait for one message. */
const MESSAGE_TILES = 16_384;

/** Bags of a message at most. */
const MESSAGE_BAGS = 32;

/** Messages under way: while the engine computes one, the headers of the next are read and it waits in the engine's queue. */
const MESSAGES_AHEAD = 2;

/** Failures that are about the bag they came with. */
const ABOUT_THE_BAG: ReadonlySet<DomainErrorCode> = new Set([
  "INVALID_ARGUMENT",
  "EMPTY_BAG",
  "NON_FINITE",
  "SHAPE_MISMATCH",
  "UNSUPPORTED_FORMAT",
  "GEOMETRY_MISMATCH",
  "PRECONDITION_FAILED",
  "NOT_FOUND",
  "CORRUPT",
  "TRUNCATED",
]);

/** Failures that some bag of a message caused; which one is known when it is alone. */
const OF_THE_ENGINE: ReadonlySet<DomainErrorCode> = new Set(["OUT_OF_MEMORY", "ENGINE_CRASHED"]);

/**
 * Scores many bags, each as `predictBag` does, and gives what came of each in their order. A bag that cannot be scored is an
 * outcome; it takes nothing with it but the time of a second run of its neighbours.
 *
 * @throws {DomainError} `PRECONDITION_FAILED` for a model that decides nothing; what store and engine throw that is about no bag;
 * `CANCELLED` when the signal fires.
 */
export async function* predictBags(
  deps: PredictDeps,
  loaded: LoadedModel,
  refs: readonly BagRef[],
  signal: AbortSignal,
): AsyncGenerator<BagOutcome, void, undefined> {
  decidingGraph(loaded);
  const ahead = new AbortController();
  const either = AbortSignal.any([signal, ahead.signal]);
  const pending: Promise<BagOutcome[]>[] = [];
  try {
    for (const message of messagesOf(refs)) {
      const outcomes = scoreMessage(deps, loaded, message, either);
      // One that fails while an earlier one is waited for must not end the process.
      outcomes.catch(() => undefined);
      pending.push(outcomes);
      if (pending.length >= MESSAGES_AHEAD) yield* (await pending.shift()) ?? [];
    }
    for (const outcomes of pending) yield* await outcomes;
  } finally {
    ahead.abort(new DomainError("CANCELLED", "nobody waits for the bags that follow"));
  }
}

interface Placed {
  readonly index: number;
  readonly ref: BagRef;
}

function* messagesOf(refs: readonly BagRef[]): Generator<readonly Placed[], void, undefined> {
  let message: Placed[] = [];
  let nTiles = 0;
  for (const [index, ref] of refs.entries()) {
    if (message.length > 0 && (message.length >= MESSAGE_BAGS || nTiles + ref.n > MESSAGE_TILES)) {
      yield message;
      message = [];
      nTiles = 0;
    }
    message.push({ index, ref });
    nTiles += ref.n;
  }
  if (message.length > 0) yield message;
}

interface Ready {
  readonly index: number;
  readonly input: ServingInput;
}

async function scoreMessage(
  deps: PredictDeps,
  loaded: LoadedModel,
  message: readonly Placed[],
  signal: AbortSignal,
): Promise<BagOutcome[]> {
  const read = await Promise.all(message.map((placed) => readInput(deps, loaded, placed, signal)));
  const ready = read.flatMap((each) => ("input" in each ? [each] : []));
  const refused = read.flatMap((each) => ("input" in each ? [] : [each]));
  const scorer = await createScorer(
    loaded,
    ready.map(({ input }) => input),
    { signal, measures: true },
  );
  try {
    const scored = await scoreReady({ deps, loaded, scorer, signal }, ready);
    return [...refused, ...scored].sort((a, b) => a.index - b.index);
  } finally {
    // When this fails the engine process is gone, and what it held with it.
    if (loaded.reembed !== undefined) await deps.engine.dropResident(scorer.scratchName).catch(() => undefined);
  }
}

async function readInput(
  { store }: PredictDeps,
  loaded: LoadedModel,
  { index, ref }: Placed,
  signal: AbortSignal,
): Promise<Ready | BagOutcome> {
  try {
    return { index, input: await readServingInput(store, ref, loaded, signal) };
  } catch (error) {
    if (isDomainError(error) && ABOUT_THE_BAG.has(error.code)) return { kind: "failure", index, error };
    throw error;
  }
}

interface Scoring {
  readonly deps: PredictDeps;
  readonly loaded: LoadedModel;
  readonly scorer: Scorer;
  readonly signal: AbortSignal;
}

/** Scores bags in one message; without the one that failed once more; each alone when it is not known which one it was. */
async function scoreReady(scoring: Scoring, ready: readonly Ready[]): Promise<BagOutcome[]> {
  if (ready.length === 0) return [];
  try {
    return await runMessage(scoring, ready);
  } catch (error) {
    if (!isDomainError(error) || scoring.signal.aborted) throw error;
    const isAlone = ready.length === 1;
    if (OF_THE_ENGINE.has(error.code) && !isAlone) return await scoreAlone(scoring, ready);
    const culprit = isAlone ? ready[0] : bagOfRun(scoring, ready, Number(error.details.run));
    const isKnown = ABOUT_THE_BAG.has(error.code) || (isAlone && OF_THE_ENGINE.has(error.code));
    if (culprit === undefined || !isKnown) throw error;
    const others = await scoreReady(
      scoring,
      ready.filter((each) => each !== culprit),
    );
    return [...others, { kind: "failure", index: culprit.index, error }];
  }
}

async function scoreAlone(scoring: Scoring, ready: readonly Ready[]): Promise<BagOutcome[]> {
  const outcomes: BagOutcome[] = [];
  for (const each of ready) outcomes.push(...(await scoreReady(scoring, [each])));
  return outcomes;
}

async function runMessage(scoring: Scoring, ready: readonly Ready[]): Promise<BagOutcome[]> {
  const { deps, loaded, signal } = scoring;
  const runs = ready.map(({ input }) => runsOf(scoring, input));
  const results = await deps.engine.run(runs.flat(), { signal });
  let first = 0;
  return ready.map(({ index, input }, place): BagOutcome => {
    const { length } = runs[place] ?? [];
    const own = results.slice(first, first + length);
    first += length;
    return outcomeOf(loaded, { index, input }, own);
  });
}

/** A bag that the model refuses, because it is unlike the training bags, or of which it says nothing finite, is an outcome. */
function outcomeOf(loaded: LoadedModel, { index, input }: Ready, results: readonly RunResult[]): BagOutcome {
  try {
    return { kind: "prediction", index, prediction: predictionFrom(loaded, results, input) };
  } catch (error) {
    if (isDomainError(error) && ABOUT_THE_BAG.has(error.code)) return { kind: "failure", index, error };
    throw error;
  }
}

function runsOf({ loaded, scorer }: Scoring, input: ServingInput): readonly RunRequest[] {
  return scorer.runs(input, scoreFetches(loaded.model.config.task));
}

/** The bag whose run the engine counted as `run`; `undefined` when it named none. */
function bagOfRun(scoring: Scoring, ready: readonly Ready[], run: number): Ready | undefined {
  let end = 0;
  return ready.find(({ input }) => {
    end += runsOf(scoring, input).length;
    return run < end;
  });
}
