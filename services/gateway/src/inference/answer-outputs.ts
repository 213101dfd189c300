import { commonV1 } from "@parfocal/protocol";
import type { OutputTensor } from "./output-tensor.ts";

/** An output that says what a model thinks. */
export interface AnswerOutput {
  readonly name: string;
  readonly datatype: "FP32" | "BYTES";
  /** -1 where it is not known before. */
  readonly length: number;
}

const { KIND_COX, KIND_REGRESSION, KIND_SURVIVAL } = commonV1.Task_Kind;

/** The outputs that are given without being asked for, in their order, by what a model decides. */
export function answerOutputs(task: commonV1.Task | undefined): AnswerOutput[] {
  const length = task?.classes.length ?? -1;
  const numbers = (name: string, count = length): AnswerOutput => ({ name, datatype: "FP32", length: count });
  const names: AnswerOutput = { name: "labels", datatype: "BYTES", length };
  switch (task?.kind) {
    case KIND_REGRESSION:
      return [numbers("values"), names];
    case KIND_SURVIVAL:
      return [numbers("risk", 1), numbers("survival", -1), numbers("hazard", -1), numbers("time", -1)];
    case KIND_COX:
      return [numbers("risk", 1)];
    default:
      return [numbers("probabilities"), names, { name: "decision", datatype: "BYTES", length: -1 }];
  }
}

/**
 * What a model says of a slide as tensors: `probabilities` and `labels` `[K]` with `decision`, one or more names, or none; `values` and `labels` `[T]`;
 * or `risk` `[1]` with `survival`, `hazard` and `time` `[B]`, at the end of each interval.
 */
export function answerTensors(task: commonV1.Task | undefined, prediction: commonV1.Prediction): OutputTensor[] {
  const { probabilities, decision, values, survival } = prediction;
  const curve = survival?.curve ?? [];
  const labels = (values.length > 0 ? values : probabilities).map(({ label }) => label);
  const found: Readonly<Record<string, OutputTensor["values"]>> = {
    probabilities: Float32Array.from(probabilities, ({ probability }) => probability),
    decision,
    labels,
    values: Float32Array.from(values, ({ value }) => value),
    risk: Float32Array.of(survival?.risk ?? Number.NaN),
    survival: Float32Array.from(curve, (point) => point.survival),
    hazard: Float32Array.from(curve, ({ hazard }) => hazard),
    time: Float32Array.from(curve, ({ time }) => time),
  };
  return answerOutputs(task).flatMap(({ name }) => {
    const of = found[name];
    return of === undefined ? [] : [{ name, shape: [of.length], values: of }];
  });
}
