import type { Tensor } from "@tensorflow/tfjs";
import { recordBody } from "../capture/record-body.ts";
import { activeRecorder, graphTypeOf } from "../capture/recorder.ts";
import { body, int } from "../capture/recording.ts";
import { fill } from "../kernels/kernel.ts";
import { tf } from "../tf.ts";
import { emitted } from "./define-operation.ts";

// Legend: B blocks.

/** What {@link scanBlocks} makes of one block. */
export interface BlockResult {
  /** Put side by side: one [..] each of every block gives [B, ..]. */
  readonly stacked: readonly Tensor[];
  /** Added up over the blocks. */
  readonly summed?: readonly Tensor[];
}

/**
 * What `f` makes of every block of `tensors` [B, ...], block after block: [B, ...] of its `stacked` and the sums of its `summed`
 * results. A captured graph runs it as a loop, so that what lies between is as large as one block and stays in a core's cache; B may be
 * symbolic, the size of a block may not. `f` may read any tensor around it. No gradient: for gradients, and for graphs that have none.
 */
export function scanBlocks(
  tensors: readonly Tensor[],
  f: (blocks: readonly Tensor[]) => BlockResult,
): Required<BlockResult> {
  return activeRecorder() === undefined ? loop(tensors, f) : emitLoop(tensors, f);
}

function loop(tensors: readonly Tensor[], f: (blocks: readonly Tensor[]) => BlockResult): Required<BlockResult> {
  const nBlocks = tensors[0]?.shape[0] ?? 0;
  const results = Array.from({ length: nBlocks }, (_, i) => f(tensors.map((x) => tf.gather(x, i))));
  const each = (part: keyof BlockResult) =>
    results[0]?.[part]?.map((_, k) => results.map((r) => r[part]?.[k] as Tensor));
  return {
    stacked: each("stacked")?.map((parts) => tf.stack(parts)) ?? [],
    summed: each("summed")?.map((parts) => tf.addN(parts)) ?? [],
  };
}

function emitLoop(tensors: readonly Tensor[], f: (blocks: readonly Tensor[]) => BlockResult): Required<BlockResult> {
  const recorder = activeRecorder();
  if (recorder === undefined) return loop(tensors, f);
  return recorder.as("scanBlocks", () => {
    const nBlocks = tensors[0]?.shape[0] ?? 0;
    const blocks = tensors.map((x) => ({ dtype: graphTypeOf(x.dtype), shape: x.shape.slice(1) }));
    // How many sums there are, and how large they are, shows in a first recording; the second has them among its inputs.
    let sums: readonly (readonly number[])[] = [];
    recordBody(recorder, "block", blocks, (inputs) => {
      const { stacked, summed = [] } = f(inputs);
      sums = summed.map(({ shape }) => shape);
      return stacked;
    });
    const states = sums.map((shape) => ({ dtype: "f32" as const, shape }));
    const recorded = recordBody(recorder, "block", [...states, ...blocks], (inputs) => {
      const { stacked, summed = [] } = f(inputs.slice(states.length));
      return [...summed.map((x, i) => tf.add(inputs[i] as Tensor, x)), ...stacked];
    });
    const operands = [
      ...states.map(({ shape }) => fill(recorder, 0, "f32", shape)),
      ...tensors.map((x) => recorder.valueOf(x)),
      ...recorded.captured,
    ];
    const types = recorded.outputs.map(({ dtype, shape }, i) => ({
      dtype,
      shape: i < sums.length ? shape : [nBlocks, ...shape],
    }));
    const outputs = recorder
      .emitMany("Scan", operands, types, {
        attributes: { body: body(recorded.body), num_scan_inputs: int(tensors.length) },
      })
      .map(emitted);
    return { stacked: outputs.slice(sums.length), summed: outputs.slice(0, sums.length) };
  });
}

/**
 * How many blocks of B a step of {@link scanBlocks} may take at a time: the largest divisor of B up to `most`, at least 1. In a capture with
 * symbolic sizes it is 1, as nothing divides them for certain.
 */
export function groupSize(nBlocks: number, most: number): number {
  if (activeRecorder()?.hasSymbols) return 1;
  let size = Math.max(1, Math.min(nBlocks, Math.floor(most)));
  while (nBlocks % size !== 0) size--;
  return size;
}
