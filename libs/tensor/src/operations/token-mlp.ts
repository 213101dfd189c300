import { DomainError } from "@parfocal/errors";
import type { Tensor } from "@tensorflow/tfjs";
import type { BodyGraph } from "../capture/body.ts";
import { activeRecorder, type Recorder } from "../capture/recorder.ts";
import { body, int, type RecordedValue } from "../capture/recording.ts";
import { reshape } from "../kernels/kernel.ts";
import { tf } from "../tf.ts";
import { defineOperation, emitted } from "./define-operation.ts";
import { gelu, tanhGeluSlope } from "./gelu.ts";
import { linear } from "./linear.ts";
import { mlpBody, mlpGradientBody } from "./token-mlp-body.ts";

// Legend: N rows, W width, H hidden width.

type Inputs = readonly [Tensor, Tensor, Tensor, Tensor, Tensor];

/** Runs a body once over all of `rows` [N, W]; the first output has as many rows, the others are as `shapes` says. */
function runOnce(
  recorder: Recorder,
  graph: BodyGraph,
  rows: readonly RecordedValue[],
  captured: readonly RecordedValue[],
  shapes: readonly (readonly number[])[],
): RecordedValue[] {
  const scanned = rows.map((x) => reshape(recorder, x, [1, ...x.shape]));
  const types = shapes.map((shape) => ({ dtype: "f32" as const, shape: [1, ...shape] }));
  const outputs = recorder.emitMany("Scan", [...scanned, ...captured], types, {
    attributes: { body: body(graph), num_scan_inputs: int(rows.length) },
  });
  return outputs.map((output, i) => reshape(recorder, output, shapes[i] ?? []));
}

const mlp = defineOperation<Inputs, undefined>({
  name: "tokenMlp",
  emit(recorder, [x, w1, b1, w2, b2]) {
    const [y] = runOnce(recorder, mlpBody(x.shape[1] ?? 1), [x], [w1, b1, w2, b2], [x.shape]);
    if (y === undefined) throw new DomainError("INTERNAL", "tokenMlp gave no output");
    return y;
  },
  eager: ([x, w1, b1, w2, b2]) => linear(gelu(linear(x, w1, b1), { form: "tanh" }), w2, b2),
  gradient(dy, { inputs }) {
    const [x, w1, b1, w2] = inputs;
    const recorder = activeRecorder();
    if (recorder === undefined) return denseGradients(dy, inputs);
    const value = (tensor: Tensor) => recorder.valueOf(tensor);
    const shapes = [x, w1, b1, w2].map(({ shape }) => shape);
    const captured = [w1, b1, w2].map(value);
    const graph = mlpGradientBody(x.shape[1] ?? 1);
    const parts = runOnce(recorder, graph, [value(x), value(dy)], captured, shapes).map(emitted);
    return [...parts, tf.sum(dy, 0)];
  },
});

/** The same without blocks. */
function denseGradients(dy: Tensor, [x, w1, b1, w2]: Inputs): Tensor[] {
  const hidden = linear(x, w1, b1); // [N, H]
  const active = gelu(hidden, { form: "tanh" });
  const upstream = tf.mul(tf.matMul(dy, w2), tanhGeluSlope(hidden)); // [N, H]
  const byFirst = [tf.matMul(upstream, x, true), tf.sum(upstream, 0)];
  return [tf.matMul(upstream, w1), ...byFirst, tf.matMul(dy, active, true), tf.sum(dy, 0)];
}

/**
 * The two layers of a transformer on every row: `gelu_tanh(x w1ᵀ + b1) w2ᵀ + b2` with `x` [N, W], `w1` [H, W], `b1` [H], `w2`
 * [W, H], `b2` [W], f32, any N. Rows go in blocks, so that neither way holds N·H numbers; the gradient computes the hidden
 * layer again.
 *
 * @throws {DomainError} SHAPE_MISMATCH when the shapes do not fit.
 */
export function tokenMlp(x: Tensor, w1: Tensor, b1: Tensor, w2: Tensor, b2: Tensor): Tensor {
  const [hidden = 0, width = 0] = w1.shape;
  const expected = [[x.shape[0] ?? 0, width], [hidden, width], [hidden], [width, hidden], [width]];
  if ([x, w1, b1, w2, b2].every(({ shape }, i) => tf.util.arraysEqual(shape, expected[i] ?? [])))
    return mlp([x, w1, b1, w2, b2], undefined);
  const shapes = [x, w1, b1, w2, b2].map(({ shape }) => `[${shape.join(", ")}]`).join(", ");
  throw new DomainError("SHAPE_MISMATCH", `tokenMlp: x, w1, b1, w2, b2 are ${shapes}`);
}
