import { DomainError } from "@parfocal/errors";
import type { Tensor } from "@tensorflow/tfjs";
import type { Recorder } from "../capture/recorder.ts";
import { isDimsOperand, type RecordedValue } from "../capture/recording.ts";
import { cast, like } from "../kernels/kernel.ts";
import { tf } from "../tf.ts";
import { defineOperation } from "./define-operation.ts";

/** Random words are uniform on 0 to 65535. */
const N_WORDS = 65_536;

interface DropoutOptions {
  /** Words below it keep their element. */
  readonly threshold: number;
  /** What kept elements are multiplied with. */
  readonly scale: number;
}

/** The words as floats straight from the 16-bit input, without the stop at int32 that tfjs sees. */
function wordsAsFloats(recorder: Recorder, words: RecordedValue): RecordedValue {
  const producer = recorder.producerOf(words);
  const [source] = producer?.op === "Cast" ? producer.operands : [];
  const raw = source !== undefined && !isDimsOperand(source) && source.dtype === "u16" ? source : words;
  return cast(recorder, raw, "f32");
}

const drop = defineOperation<readonly [Tensor, Tensor], DropoutOptions>({
  name: "dropout",
  emit(recorder, [x, words], { threshold, scale }) {
    // Words and threshold are whole numbers, so (threshold - word)·scale is at least scale, or at most 0: clipped, it is
    // the mask. Comparing and converting booleans takes more passes.
    const margin = recorder.emit("Sub", [recorder.scalar(threshold), wordsAsFloats(recorder, words)], {
      dtype: "f32",
      shape: x.shape,
    });
    const scaled = like(recorder, "Mul", [margin, recorder.scalar(scale)]);
    const mask = like(recorder, "Clip", [scaled, recorder.scalar(0), recorder.scalar(scale)]);
    return like(recorder, "Mul", [x, mask]);
  },
  eager: ([x, words], { threshold, scale }) => tf.mul(x, tf.mul(tf.cast(tf.less(words, threshold), "float32"), scale)),
  gradient: (dy, { inputs: [, words] }, options): Tensor[] => [drop([dy, words], options), tf.zerosLike(words)],
});

/**
 * `x` f32 with elements dropped to 0 where the random word says so and the others scaled by 1/keep, so that the expectation
 * stays. `words` (a `u16` port, same shape, uniform on 0 to 65535) keep an element below round(keep · 65536). The same
 * words give the same mask on every machine; at probability 1 this is `x` itself.
 *
 * @throws {DomainError} INVALID_ARGUMENT when the probability is not in (0, 1]; SHAPE_MISMATCH when the shapes differ.
 */
export function dropout(x: Tensor, words: Tensor, keepProbability: number): Tensor {
  if (!(keepProbability > 0 && keepProbability <= 1)) {
    throw new DomainError(
      "INVALID_ARGUMENT",
      `the probability to keep an element is ${keepProbability}; it must be above 0 and at most 1`,
    );
  }
  if (!tf.util.arraysEqual(x.shape, words.shape)) {
    throw new DomainError(
      "SHAPE_MISMATCH",
      `dropout: x is [${x.shape.join(", ")}], words are [${words.shape.join(", ")}]`,
    );
  }
  const threshold = Math.round(keepProbability * N_WORDS);
  return threshold === N_WORDS ? x : drop([x, words], { threshold, scale: 1 / keepProbability });
}
