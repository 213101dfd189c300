import { DomainError } from "@parfocal/errors";
import type { ObjectStore } from "@parfocal/store";
import type { TensorSink, WrittenObject } from "../engine-port.ts";
import type { Tensor } from "./onnxruntime.ts";
import { hostFromTensor } from "./tensors.ts";

type ObjectSink = Extract<TensorSink, { kind: "object" }>;

/**
 * Writes an output into the store as its sink says.
 *
 * @throws {DomainError} SHAPE_MISMATCH when it has another shape than `before` was written for; NON_FINITE with the place of the
 * first value that is no number; what the store throws. Nothing is written then.
 */
export async function writeOutput(
  tensor: Tensor,
  { keyPrefix, keySuffix, before, after, shape }: ObjectSink,
  { store, signal }: { readonly store: ObjectStore; readonly signal: AbortSignal },
): Promise<WrittenObject> {
  if (tensor.dims.join() !== shape.join()) {
    throw new DomainError("SHAPE_MISMATCH", `the output is [${tensor.dims.join(", ")}], not [${shape.join(", ")}]`);
  }
  assertFinite(tensor, shape.at(-1) ?? 1);
  const parts = [before, hostFromTensor(tensor).data, after].filter(({ length }) => length > 0);
  const options = { suffix: keySuffix, signal };
  // Engines that write nothing need not load the store's clients into this thread.
  const { putIfAbsent } = await import("@parfocal/store");
  const { key, digest, sizeBytes } = await putIfAbsent(store, keyPrefix, parts, undefined, options);
  return { key, digest, sizeBytes };
}

function assertFinite({ data }: Tensor, width: number): void {
  if (!(data instanceof Float32Array) || isAllFinite(data)) return;
  const first = data.findIndex((value) => !Number.isFinite(value));
  const place = `row ${Math.floor(first / width)}, column ${first % width}`;
  throw new DomainError("NON_FINITE", `the output is not finite, first at ${place}`);
}

/** Zero times anything is zero, but for NaN and infinity: no branch per element. */
function isAllFinite(values: Float32Array): boolean {
  let sum = 0;
  for (let index = 0; index < values.length; index += 1) sum += 0 * (values[index] as number);
  return sum === 0;
}
