import { DomainError } from "@parfocal/errors";
import type { Tensor } from "@tensorflow/tfjs";
import { emitGemm } from "../kernels/matmul.ts";
import { tf } from "../tf.ts";
import { defineOperation } from "./define-operation.ts";

const biased = defineOperation<readonly [Tensor, Tensor, Tensor], undefined>({
  name: "linear",
  emit: (recorder, [x, weight, bias]) =>
    emitGemm(recorder, { value: x, isTransposed: false }, { value: weight, isTransposed: true }, bias),
  eager: ([x, weight, bias]) => tf.add(tf.matMul(x, weight, false, true), bias),
  gradient: (dy, { inputs: [x, weight] }) => [...productGradients(dy, x, weight), tf.sum(dy, 0)],
});

const unbiased = defineOperation<readonly [Tensor, Tensor], undefined>({
  name: "linear",
  emit: (recorder, [x, weight]) =>
    emitGemm(recorder, { value: x, isTransposed: false }, { value: weight, isTransposed: true }),
  eager: ([x, weight]) => tf.matMul(x, weight, false, true),
  gradient: (dy, { inputs: [x, weight] }) => productGradients(dy, x, weight),
});

function productGradients(dy: Tensor, x: Tensor, weight: Tensor): [Tensor, Tensor] {
  return [tf.matMul(dy, weight), tf.matMul(dy, x, true, false)];
}

/**
 * `x · weightᵀ + bias`: `x` [..., I], `weight` [O, I], `bias` [O] give [..., O], f32. One Gemm forward and one for each
 * gradient; a transpose is never materialised.
 *
 * @throws {DomainError} SHAPE_MISMATCH when the sizes of `x`, `weight` and `bias` do not fit.
 */
export function linear(x: Tensor, weight: Tensor, bias?: Tensor): Tensor {
  const width = x.shape.at(-1);
  const [nOut = 0, nIn] = weight.shape;
  const isBiasFit = bias === undefined || (bias.rank === 1 && bias.shape[0] === nOut);
  if (weight.rank !== 2 || width !== nIn || !isBiasFit) {
    throw new DomainError(
      "SHAPE_MISMATCH",
      `linear: x ends in ${width}, weight is [${weight.shape.join(", ")}], bias [${bias?.shape.join(", ") ?? ""}]`,
    );
  }
  const rows = x.rank === 2 ? x : tf.reshape(x, [-1, width ?? 0]); // [rows, I]
  const product = bias === undefined ? unbiased([rows, weight], undefined) : biased([rows, weight, bias], undefined); // [rows, O]
  return x.rank === 2 ? product : tf.reshape(product, [...x.shape.slice(0, -1), nOut]);
}
