import type { BagRef } from "@parfocal/bags";
import type { Engine } from "@parfocal/engine";
import type { Task } from "@parfocal/models";
import type { ObjectStore } from "@parfocal/store";
import { assertSourceFits, type BagInput, readBagInput } from "../bag-inputs.ts";
import { floatsFromHostTensor } from "../host-tensor.ts";
import type { LoadedModel } from "./load-model.ts";

/** What a model says of one bag. */
export interface BagPrediction {
  /** `[C]`, in the order of the task's classes. */
  readonly probabilities: readonly number[];
  /** Names of the classes decided for: one, or in multi-label tasks any number. */
  readonly decision: readonly string[];
  /** What it was decided by: one for binary, one per class for multi-label, none for multi-class tasks. */
  readonly thresholds: readonly number[];
  /** `[N, A]` row-major, each column summing to 1; absent unless asked for, and in models without attention. */
  readonly attention?: { readonly n: number; readonly nBranches: number; readonly values: Float32Array };
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
 * Scores one bag. Its tensors go from the store into the engine; this process reads its header alone.
 *
 * @throws {DomainError} `GEOMETRY_MISMATCH` naming both widths, encoders or geometries; `EMPTY_BAG`; what store and engine
 * throw.
 */
export async function predictBag(
  deps: PredictDeps,
  loaded: LoadedModel,
  ref: BagRef,
  options: PredictOptions = {},
): Promise<BagPrediction> {
  const input = await readBagInput(deps.store, ref, loaded.model, options.signal);
  assertSourceFits(loaded.manifest.expects, input.metadata);
  const wantsAttention = options.wantsAttention === true && loaded.model.nBranches > 0;
  const fetches = { probabilities: INLINE, ...(wantsAttention && { attention: INLINE }) };
  const call = options.signal ? { signal: options.signal } : {};
  const [result] = await deps.engine.run([{ graph: loaded.aggregate, feeds: input.feeds, fetches }], call);
  const probabilities = Array.from(floatsFromHostTensor(result?.outputs.probabilities, "probabilities"));
  const { thresholds } = loaded.manifest;
  return {
    probabilities,
    decision: decide(loaded.model.config.task, probabilities, thresholds),
    thresholds,
    ...(wantsAttention && { attention: attentionOf(loaded, input, result?.outputs.attention) }),
    engineMs: result?.engineMs ?? 0,
  };
}

const INLINE = { kind: "inline" } as const;

type HostOutput = Parameters<typeof floatsFromHostTensor>[0];

function attentionOf({ model }: LoadedModel, { n }: BagInput, output: HostOutput) {
  return { n, nBranches: model.nBranches, values: floatsFromHostTensor(output, "attention") };
}

/**
 * Names of the decided classes. Binary: the positive class when its probability reaches the threshold. Multi-class: the
 * most probable, of equals the first. Multi-label: every class that reaches its threshold.
 */
export function decide(task: Task, probabilities: readonly number[], thresholds: readonly number[]): string[] {
  const { classes } = task;
  if (task.kind === "multilabel") return classes.filter((_, k) => reaches(probabilities[k], thresholds[k]));
  const index =
    task.kind === "binary"
      ? Number(reaches(probabilities[1], thresholds[0]))
      : probabilities.indexOf(Math.max(...probabilities));
  return classes.slice(index, index + 1);
}

function reaches(probability: number | undefined, threshold: number | undefined): boolean {
  return (probability ?? 0) >= (threshold ?? 0.5);
}
