import type { gatewayV1, inferenceV2 } from "@parfocal/protocol";
import { answerOutputs } from "./answer-outputs.ts";

type TensorMetadata = inferenceV2.ModelMetadataResponse_TensorMetadata;

/** Heads that pool without weighing: they have no attention to give. */
const WITHOUT_ATTENTION = ["mean", "max"];

/** The inputs of a model: `features` with optional `coords`, or `bag`, a reference in their place. */
export function inferenceInputs({ featureDim }: Pick<gatewayV1.Model, "featureDim">): TensorMetadata[] {
  return [
    tensor("features", "FP32", [-1, featureDim]),
    tensor("coords", "INT32", [-1, 2]),
    tensor("bag", "BYTES", [1]),
  ];
}

/** The outputs of a model. None when it has no head. */
export function inferenceOutputs({ head, task }: Pick<gatewayV1.Model, "head" | "task">): TensorMetadata[] {
  if (head === "") return [];
  const always = answerOutputs(task).map(({ name, datatype, length }) => tensor(name, datatype, [length]));
  if (WITHOUT_ATTENTION.includes(head)) return always;
  return [...always, tensor("attention", "FP32", [-1, -1]), tensor("coordinates", "FP32", [-1, 2])];
}

function tensor(name: string, datatype: string, shape: readonly number[]): TensorMetadata {
  return { name, datatype, shape: shape.map(BigInt) };
}
