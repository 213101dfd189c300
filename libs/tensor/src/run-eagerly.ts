import { DomainError } from "@parfocal/errors";
import type { Tensor, TypedArray } from "@tensorflow/tfjs";
import { withBackend } from "./capture/backend.ts";
import type { CaptureOptions, ConstantTensor } from "./capture/capture.ts";
import { graphTypeOf } from "./capture/recorder.ts";
import { tf } from "./tf.ts";

/**
 * Runs the same `build` on tfjs's CPU backend, with tfjs's own gradients: slow, plain and independent of the capture. The
 * oracle for captured graphs. `feeds` has a tensor for every input (`u8`, `u16` and `i64` ports as `i32`, `f16` as `f32`).
 *
 * @param backend another backend of tfjs, see `loadEagerBackend`.
 * @throws {DomainError} INVALID_ARGUMENT when a feed is missing.
 */
export function runEagerly(
  options: CaptureOptions,
  feeds: Readonly<Record<string, ConstantTensor>>,
  backend = "cpu",
): Record<string, ConstantTensor> {
  const given = { ...feeds, ...options.constants };
  const missing = options.inputs.find(({ name }) => given[name] === undefined);
  if (missing !== undefined) throw new DomainError("INVALID_ARGUMENT", `the input ${missing.name} has no feed`);
  const results: Record<string, ConstantTensor> = {};
  withBackend(backend, () =>
    tf.tidy(() => {
      const tensors = Object.fromEntries(Object.entries(given).map(([name, tensor]) => [name, eagerTensor(tensor)]));
      for (const [name, tensor] of Object.entries(options.build(tensors))) results[name] = hostTensor(tensor);
    }),
  );
  return results;
}

const TFJS_TYPES = { f32: "float32", i32: "int32", bool: "bool" } as const;

function eagerTensor({ data, shape, dtype }: ConstantTensor): Tensor {
  return tf.tensor(Array.from(data), [...shape], TFJS_TYPES[dtype]);
}

function hostTensor(tensor: Tensor): ConstantTensor {
  // A copy: the tensor's storage may be a feed's, which the caller owns.
  const data: TypedArray = tensor.dataSync().slice();
  return { dtype: graphTypeOf(tensor.dtype), shape: [...tensor.shape], data: data as ConstantTensor["data"] };
}
