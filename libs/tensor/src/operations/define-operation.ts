import type { Tensor } from "@tensorflow/tfjs";
import { activeRecorder, infoOf, type Recorder } from "../capture/recorder.ts";
import type { RecordedValue } from "../capture/recording.ts";
import { tf } from "../tf.ts";

/** What a gradient may read. */
interface Saved<Inputs extends readonly Tensor[]> {
  readonly inputs: Inputs;
  readonly output: Tensor;
}

/** An operation with an ONNX form, an eager form and a gradient of its own. */
export interface OperationDefinition<Inputs extends readonly Tensor[], Options> {
  /** Shown in node names and messages. */
  readonly name: string;
  /** Emits the ONNX form and gives its value. */
  emit(recorder: Recorder, inputs: { readonly [K in keyof Inputs]: RecordedValue }, options: Options): RecordedValue;
  /** The same function in plain tfjs operations: the reference that tests compare with. */
  eager(inputs: Inputs, options: Options): Tensor;
  /** Gradients with respect to the inputs, in their order, written in differentiable-free tfjs operations and others of these. */
  gradient(dy: Tensor, saved: Saved<Inputs>, options: Options): Tensor[];
}

/**
 * Makes a differentiable function of tensors from its definition. Inside a capture it emits, outside it computes.
 * Gradients that nobody asks for are dropped from captured graphs as dead nodes.
 */
export function defineOperation<Inputs extends readonly Tensor[], Options>(
  definition: OperationDefinition<Inputs, Options>,
): (inputs: Inputs, options: Options) => Tensor {
  return (inputs, options) => {
    const run = tf.customGrad((...args) => {
      const save = args.at(-1) as unknown as tf.GradSaveFunc;
      const tensors = args.slice(0, -1) as unknown as Inputs;
      const value = forward(definition, tensors, options);
      save([...tensors, value]);
      const gradFunc = (dy: Tensor, saved: Tensor[]): Tensor[] => {
        const output = saved.at(-1) as Tensor;
        const backward = () =>
          definition.gradient(dy, { inputs: saved.slice(0, -1) as unknown as Inputs, output }, options);
        return activeRecorder()?.as(`${definition.name}.gradient`, backward) ?? backward();
      };
      return { value, gradFunc };
    });
    return run(...inputs);
  };
}

function forward<Inputs extends readonly Tensor[], Options>(
  definition: OperationDefinition<Inputs, Options>,
  inputs: Inputs,
  options: Options,
): Tensor {
  const recorder = activeRecorder();
  if (recorder === undefined) return definition.eager(inputs, options);
  return recorder.as(definition.name, () => {
    const values = inputs.map((input) => recorder.valueOf(input)) as { readonly [K in keyof Inputs]: RecordedValue };
    return emitted(definition.emit(recorder, values, options));
  });
}

/** A tensor over a value that was just emitted. */
export function emitted(value: RecordedValue): Tensor {
  return tf.engine().makeTensorFromTensorInfo(infoOf(value));
}
