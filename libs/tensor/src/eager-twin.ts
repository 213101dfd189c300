import type { Tensor } from "@tensorflow/tfjs";
import { withBackend } from "./capture/backend.ts";
import { type ConstantTensor, originOf } from "./capture/capture.ts";
import type { CapturedGraph } from "./graph.ts";
import { tf } from "./tf.ts";

/**
 * Runs the function that a graph was captured from on a tfjs backend, with tfjs's own kernels and gradients: the same computation
 * without the graph. Gives the outputs, which the caller disposes of; intermediate tensors are freed. Synchronous.
 *
 * @param backend name of a registered backend, see `loadEagerBackend`.
 * @param feeds a tensor for every input of the graph.
 * @returns `undefined` when the graph was not captured in this process.
 */
export function runTwin(
  graph: CapturedGraph,
  backend: string,
  feeds: Readonly<Record<string, Tensor>>,
): Record<string, Tensor> | undefined {
  const options = originOf(graph);
  if (options === undefined) return undefined;
  return withBackend(backend, () =>
    tf.tidy(() => {
      const constants = Object.entries(options.constants ?? {}).map(
        ([name, tensor]) => [name, tensorOf(tensor)] as const,
      );
      const outputs = options.build({ ...feeds, ...Object.fromEntries(constants) });
      // A feed that is an output as well must not be freed as both.
      return Object.fromEntries(Object.entries(outputs).map(([name, tensor]) => [name, tf.clone(tensor)]));
    }),
  );
}

const TFJS_TYPES = { f32: "float32", i32: "int32", bool: "bool" } as const;

function tensorOf({ data, shape, dtype }: ConstantTensor): Tensor {
  return tf.tensor(data, [...shape], TFJS_TYPES[dtype]);
}
