import { DomainError } from "@parfocal/errors";
import type { Tensor } from "@tensorflow/tfjs";
import { activeRecorder, type Recorder } from "../capture/recorder.ts";
import { float, int, type RecordedValue } from "../capture/recording.ts";
import { tf } from "../tf.ts";
import { defineOperation, emitted } from "./define-operation.ts";

type Inputs = readonly [Tensor, Tensor, Tensor];

/** The fused node gives mean and inverse deviation too; a second emission for the gradient merges with the first. */
function emitFused(recorder: Recorder, inputs: readonly RecordedValue[], epsilon: number): RecordedValue[] {
  const [x] = inputs;
  if (x === undefined) throw new DomainError("INTERNAL", "layerNorm was emitted without inputs");
  const statistic = { dtype: "f32" as const, shape: x.shape.with(-1, 1) };
  const attributes = { axis: int(-1), epsilon: float(epsilon) };
  return recorder.emitMany("LayerNormalization", inputs, [x, statistic, statistic], { attributes });
}

/** Mean and 1/√(variance + ε) over the last axis, [..., 1]. */
function statisticsOf([x, gain, shift]: Inputs, epsilon: number): { mean: Tensor; inverse: Tensor } {
  const recorder = activeRecorder();
  if (recorder === undefined) {
    const { mean, variance } = tf.moments(x, -1, true);
    return { mean, inverse: tf.rsqrt(tf.add(variance, epsilon)) };
  }
  const values = [x, gain, shift].map((tensor) => recorder.valueOf(tensor));
  const [, mean, inverse] = emitFused(recorder, values, epsilon).map(emitted);
  if (mean === undefined || inverse === undefined) throw new DomainError("INTERNAL", "layerNorm gave no statistics");
  return { mean, inverse };
}

const norm = defineOperation<Inputs, { readonly epsilon: number }>({
  name: "layerNorm",
  emit(recorder, inputs, { epsilon }) {
    const [y] = emitFused(recorder, inputs, epsilon);
    if (y === undefined) throw new DomainError("INTERNAL", "layerNorm gave no output");
    return y;
  },
  eager(inputs, { epsilon }) {
    const { mean, inverse } = statisticsOf(inputs, epsilon);
    return tf.add(tf.mul(tf.mul(tf.sub(inputs[0], mean), inverse), inputs[1]), inputs[2]);
  },
  gradient: (dy, { inputs }, { epsilon }) => layerNormGradients(dy, inputs, epsilon),
});

/** Gradients of {@link layerNorm} by `x`, `gain` and `shift` where that of its value is `dy`, for operations that have norms inside. */
export function layerNormGradients(dy: Tensor, inputs: Inputs, epsilon = 1e-5): [Tensor, Tensor, Tensor] {
  const [x, gain] = inputs;
  const { mean, inverse } = statisticsOf(inputs, epsilon);
  const normal = tf.mul(tf.sub(x, mean), inverse); // [..., C]
  const scaled = tf.mul(dy, gain); // [..., C]
  const along = tf.mean(tf.mul(scaled, normal), -1, true); // [..., 1]
  const centred = tf.sub(tf.sub(scaled, tf.mean(scaled, -1, true)), tf.mul(normal, along)); // [..., C]
  const leading = x.shape.slice(0, -1).map((_, axis) => axis);
  return [tf.mul(centred, inverse), tf.sum(tf.mul(dy, normal), leading), tf.sum(dy, leading)];
}

/**
 * `x` [..., C] normalised over its last axis to mean 0 and variance 1, times `gain` [C] plus `shift` [C]. f32. One fused
 * node; its gradient reuses the statistics of the forward pass. `epsilon` is added to the variance.
 *
 * @throws {DomainError} SHAPE_MISMATCH when `gain` or `shift` is not [C].
 */
export function layerNorm(x: Tensor, gain: Tensor, shift: Tensor, epsilon = 1e-5): Tensor {
  const width = x.shape.at(-1);
  if ([gain, shift].some(({ shape }) => shape.length !== 1 || shape[0] !== width)) {
    throw new DomainError(
      "SHAPE_MISMATCH",
      `layerNorm: x ends in ${width}, gain is [${gain.shape.join(", ")}], shift [${shift.shape.join(", ")}]`,
    );
  }
  return norm([x, gain, shift], { epsilon });
}
