import { DomainError } from "@parfocal/errors";
import type { Tensor } from "@tensorflow/tfjs";
import { dims, int } from "../capture/recording.ts";
import { fill, reshape, transpose } from "../kernels/kernel.ts";
import { tf } from "../tf.ts";
import { defineOperation } from "./define-operation.ts";

const softmax = defineOperation<readonly [Tensor], undefined>({
  name: "softmaxOverTiles",
  emit(recorder, [scores]) {
    const [nTiles = 1, nBranches = 1] = scores.shape;
    if (nBranches !== 1) return recorder.emit("Softmax", [scores], scores, { attributes: { axis: int(0) } });
    // A column is a row read differently: along the last axis the runtime needs no transposes.
    const row = reshape(recorder, scores, [1, nTiles]);
    return reshape(recorder, recorder.emit("Softmax", [row], row, { attributes: { axis: int(1) } }), scores.shape);
  },
  eager: ([scores]) => tf.transpose(tf.softmax(tf.transpose(scores))),
  gradient(dy, { output }) {
    const weighted = tf.mul(dy, output); // [N, A]
    return [tf.sub(weighted, tf.mul(output, tf.sum(weighted, 0, true)))];
  },
});

/** Attention weights of N tiles: `scores` [N, A] f32 to weights [N, A] that sum to 1 over the tiles in each branch. */
export function softmaxOverTiles(scores: Tensor): Tensor {
  return softmax([scores], undefined);
}

const max = defineOperation<readonly [Tensor], undefined>({
  name: "maxOverTiles",
  emit: (recorder, [x]) =>
    recorder.emit(
      "ReduceMax",
      [x, dims([0])],
      { dtype: "f32", shape: x.shape.slice(1) },
      { attributes: { keepdims: int(0) } },
    ),
  eager: ([x]) => tf.max(x, 0),
  gradient: (dy, { inputs: [x] }) => [atWinners([dy, x], undefined)],
});

/** `dy` [C] at the largest of N tiles in each column and zeros elsewhere, [N, C]; of equal values the lowest index has it. */
const atWinners = defineOperation<readonly [Tensor, Tensor], undefined>({
  name: "atWinners",
  emit(recorder, [dy, x]) {
    const [, nColumns = 1] = x.shape;
    // Twice as fast over rows, the transpose included, as the runtime's search down a column.
    const rows = transpose(recorder, x, [1, 0]);
    const found = [nColumns, 1];
    const types = [
      { dtype: "f32" as const, shape: found },
      { dtype: "i64" as const, shape: found },
    ];
    const [, winners] = recorder.emitMany("TopK", [rows, dims([1])], types, { attributes: { axis: int(1) } });
    if (winners === undefined) throw new DomainError("INTERNAL", "TopK has 2 outputs, got fewer");
    const places = reshape(recorder, winners, [1, nColumns]);
    const values = reshape(recorder, dy, [1, nColumns]);
    const zeros = fill(recorder, 0, "f32", x.shape);
    return recorder.emit("ScatterElements", [zeros, places, values], zeros, { attributes: { axis: int(0) } });
  },
  eager([dy, x]) {
    const winner = tf.argMax(x, 0); // [C], the lowest index of equals
    const column = tf.reshape(tf.range(0, x.shape[0] ?? 0, 1, "int32"), [-1, 1]); // [N, 1]
    return tf.mul(tf.cast(tf.equal(column, winner), "float32"), dy); // [N, C]
  },
  // It is a gradient itself; a second derivative is asked for nowhere.
  gradient: (_dy, { inputs }) => inputs.map((x) => tf.zerosLike(x)),
});

/** The largest of N tiles, [N, C] to [C]. Of equal values the lowest index alone gets the gradient. */
export function maxOverTiles(x: Tensor): Tensor {
  return max([x], undefined);
}

/** The mean over N tiles, [N, C] to [C]. */
export function meanOverTiles(x: Tensor): Tensor {
  return tf.mean(x, 0);
}

/** The sum over N tiles, [N, C] to [C]. */
export function sumOverTiles(x: Tensor): Tensor {
  return tf.sum(x, 0);
}
