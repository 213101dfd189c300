import { DomainError } from "@parfocal/errors";
import type { Tensor } from "@tensorflow/tfjs";
import { dims, int } from "../capture/recording.ts";
import { emitBinary } from "../kernels/binary.ts";
import { like } from "../kernels/kernel.ts";
import { tf } from "../tf.ts";
import { defineOperation } from "./define-operation.ts";

const logSoftmaxLast = defineOperation<readonly [Tensor], undefined>({
  name: "logSoftmax",
  emit: (recorder, [x]) => recorder.emit("LogSoftmax", [x], x, { attributes: { axis: int(x.shape.length - 1) } }),
  eager: ([x]) => tf.logSoftmax(x),
  gradient: (dy, { output }) => [tf.sub(dy, tf.mul(tf.exp(output), tf.sum(dy, -1, true)))],
});

/** log(softmax(`logits`)) over the last axis, [..., K], exact for logits of any size. */
export function logSoftmax(logits: Tensor): Tensor {
  return logSoftmaxLast([logits], undefined);
}

const softmaxEntropy = defineOperation<readonly [Tensor, Tensor], undefined>({
  name: "softmaxCrossEntropy",
  emit(recorder, [logits, targets]) {
    const logs = recorder.emit("LogSoftmax", [logits], logits, { attributes: { axis: int(logits.shape.length - 1) } });
    const products = emitBinary(recorder, "Mul", targets, logs);
    const type = { dtype: "f32" as const, shape: logits.shape.slice(0, -1) };
    return like(recorder, "Neg", [
      recorder.emit("ReduceSum", [products, dims([-1])], type, { attributes: { keepdims: int(0) } }),
    ]);
  },
  eager: ([logits, targets]) => tf.neg(tf.sum(tf.mul(targets, tf.logSoftmax(logits)), -1)),
  gradient(dy, { inputs: [logits, targets] }) {
    const each = tf.expandDims(dy, -1); // [..., 1]
    const pulled = tf.sub(tf.mul(tf.softmax(logits), tf.sum(targets, -1, true)), targets); // [..., K]
    return [tf.mul(each, pulled), tf.neg(tf.mul(each, tf.logSoftmax(logits)))];
  },
});

/**
 * Cross entropy of `logits` [..., K] against target probabilities [..., K] (one-hot, smoothed or soft), one loss per row
 * [...] in nats. Weights of classes and the mean over rows are the caller's.
 *
 * @throws {DomainError} SHAPE_MISMATCH when the shapes differ.
 */
export function softmaxCrossEntropy(logits: Tensor, targets: Tensor): Tensor {
  assertSameShape("softmaxCrossEntropy", logits, targets);
  return softmaxEntropy([logits, targets], undefined);
}

const sigmoidEntropy = defineOperation<readonly [Tensor, Tensor], undefined>({
  name: "sigmoidCrossEntropy",
  emit: (recorder, [logits, targets]) =>
    like(recorder, "Sub", [like(recorder, "Softplus", [logits]), like(recorder, "Mul", [logits, targets])]),
  eager: ([logits, targets]) => tf.sub(tf.softplus(logits), tf.mul(logits, targets)),
  gradient: (dy, { inputs: [logits, targets] }) => [
    tf.mul(dy, tf.sub(tf.sigmoid(logits), targets)),
    tf.neg(tf.mul(dy, logits)),
  ],
});

/**
 * Binary cross entropy of `logits` against target probabilities of the same shape, elementwise, in nats:
 * softplus(x) - t·x, which neither overflows nor loses digits for logits of any size.
 *
 * @throws {DomainError} SHAPE_MISMATCH when the shapes differ.
 */
export function sigmoidCrossEntropy(logits: Tensor, targets: Tensor): Tensor {
  assertSameShape("sigmoidCrossEntropy", logits, targets);
  return sigmoidEntropy([logits, targets], undefined);
}

function assertSameShape(name: string, logits: Tensor, targets: Tensor): void {
  if (tf.util.arraysEqual(logits.shape, targets.shape)) return;
  throw new DomainError(
    "SHAPE_MISMATCH",
    `${name}: logits are [${logits.shape.join(", ")}], targets [${targets.shape.join(", ")}]`,
  );
}
