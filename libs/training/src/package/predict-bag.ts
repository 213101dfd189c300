import type { BagRef } from "@parfocal/bags";
import type { Engine, RunRequest, RunResult } from "@parfocal/engine";
import { decideClasses } from "@parfocal/metrics";
import { hasClasses, type Task } from "@parfocal/models";
import type { ObjectStore } from "@parfocal/store";
import { floatsFromHostTensor } from "../host-tensor.ts";
import { assertFiniteOutput, type BagScore, scoreFetches, scoreFrom } from "../score-outputs.ts";
import { type Certainty, certaintyOf } from "./certainty.ts";
import { decidingGraph, type LoadedModel } from "./load-model.ts";
import type { SeenPart } from "./seen-bags.ts";
import { createScorer, readServingInput, type Scorer, type ServingInput } from "./serving-input.ts";

/** Weights or scores of tiles, of those that a model keeps, or of its regions. */
export interface BagAttention {
  readonly n: number;
  readonly nBranches: number;
  /** `[n, A]` row-major; weights, each column summing to 1, or of heads that classify every tile logits. */
  readonly values: Float32Array;
  /** `[n, 2]` (x, y) level-0 pixels of what is weighed; absent when it is the bag's rows, whose coordinates are the bag's. */
  readonly coords?: Int32Array;
}

/** What a model says of one bag. */
export interface BagPrediction extends BagScore, Certainty {
  /** `[C]`, in the order of the task's classes; empty in tasks without classes, whose answer is no probability. */
  readonly probabilities: readonly number[];
  /** Names of the classes decided for: one, or in multi-label tasks any number; none in tasks without classes. */
  readonly decision: readonly string[];
  /** What it was decided by: one for binary, one per class for multi-label, none for multi-class tasks. */
  readonly thresholds: readonly number[];
  /** Which part of the model's training had the bag; of several together the worst, see `worstSeen`. */
  readonly seen: SeenPart;
  /** Of the rows that the head got; absent unless asked for, and in packages whose graph gives none. */
  readonly attention?: BagAttention;
  /** Time inside the runtime, milliseconds. */
  readonly engineMs: number;
}

/** What {@link predictBag} runs on. */
export interface PredictDeps {
  readonly engine: Engine;
  /** The store of the bag, which the engine reads as well. */
  readonly store: ObjectStore;
}

/** Options of {@link predictBag}. */
export interface PredictOptions {
  /** Whether to give the weight of every tile. */
  readonly wantsAttention?: boolean;
  readonly signal?: AbortSignal;
}

/**
 * Scores one bag: one that the model's re-embedder left, or one as it was trained on, which then is re-embedded here. Its
 * tensors go from the store into the engine; this process reads its header alone.
 *
 * @throws {DomainError} `PRECONDITION_FAILED` for a model that decides nothing; `GEOMETRY_MISMATCH` naming both widths, encoders
 * or geometries; `EMPTY_BAG`; `NON_FINITE` for attention that is not; as {@link predictionFrom}; what store and engine throw.
 */
export async function predictBag(
  deps: PredictDeps,
  loaded: LoadedModel,
  ref: BagRef,
  options: PredictOptions = {},
): Promise<BagPrediction> {
  const input = await readServingInput(deps.store, ref, loaded, options.signal);
  const wantsAttention = options.wantsAttention === true && givesAttention(loaded);
  const { task } = loaded.model.config;
  const fetches = { ...scoreFetches(task), ...(wantsAttention && { attention: INLINE }) };
  const scorer = await createScorer(loaded, [input], {
    measures: true,
    ...(options.signal && { signal: options.signal }),
  });
  const results = await runAndTidy(deps.engine, scorer, scorer.runs(input, fetches), options.signal);
  const prediction = predictionFrom(loaded, results, input);
  if (!wantsAttention) return prediction;
  return { ...prediction, attention: attentionOf(loaded, input, results.at(-1)?.outputs.attention) };
}

/**
 * What the model says by the runs that measured and scored one bag, the input, without attention.
 *
 * @throws {DomainError} `NON_FINITE` when that is NaN or infinite; `PRECONDITION_FAILED` for a bag unlike the training bags when the
 * model refuses those.
 */
export function predictionFrom(
  loaded: Pick<LoadedModel, "model" | "manifest" | "usual">,
  results: readonly RunResult[],
  { seen }: Pick<ServingInput, "seen">,
): BagPrediction {
  const { model, manifest, usual } = loaded;
  const { task } = model.config;
  const score = scoreFrom(task, results.at(-1)?.outputs ?? {});
  const { thresholds } = manifest;
  return {
    ...score,
    probabilities: hasClasses(task) ? score.answer : [],
    decision: decide(task, score.answer, thresholds),
    thresholds,
    seen,
    ...certaintyOf(loaded, score.answer, usual && results.at(-2)),
    engineMs: results.reduce((sum, { engineMs }) => sum + engineMs, 0),
  };
}

async function runAndTidy(
  engine: Engine,
  { scratchName }: Scorer,
  runs: readonly RunRequest[],
  signal: AbortSignal | undefined,
): Promise<readonly RunResult[]> {
  try {
    return await engine.run(runs, signal ? { signal } : {});
  } finally {
    // When this fails the engine process is gone, and what it held with it.
    if (runs.some(({ fetches }) => "tiles" in fetches)) await engine.dropResident(scratchName).catch(() => undefined);
  }
}

/** Whether the graph itself does: packages of before a head's scores were given were published without. */
function givesAttention(loaded: Pick<LoadedModel, "aggregate">): boolean {
  return decidingGraph(loaded).outputs.some(({ name }) => name === "attention");
}

const INLINE = { kind: "inline" } as const;

type HostOutput = Parameters<typeof floatsFromHostTensor>[0];

function attentionOf({ model }: LoadedModel, input: ServingInput, output: HostOutput): BagAttention {
  const { n, coords } = input.rows;
  const values = floatsFromHostTensor(output, "attention");
  assertFiniteOutput("attention is", values);
  return { n, nBranches: model.nBranches, values, ...(coords && { coords }) };
}

/** Names of the decided classes, see `decideClasses`; none of a task without classes. */
export function decide(task: Task, probabilities: readonly number[], thresholds: readonly number[]): string[] {
  if (!hasClasses(task)) return [];
  return decideClasses(task.kind, probabilities, thresholds).flatMap((k) => task.classes[k] ?? []);
}
