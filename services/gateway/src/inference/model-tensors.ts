import type { gatewayV1, inferenceV2 } from "@parfocal/protocol";
import { answerOutputs } from "./answer-outputs.ts";

type TensorMetadata = inferenceV2.ModelMetadataResponse_TensorMetadata;

type Described = Pick<gatewayV1.Model, "head" | "task" | "configJson">;

/** The inputs of a model: `features` with optional `coords`, or `bag`, a reference in their place. */
export function inferenceInputs({ featureDim }: Pick<gatewayV1.Model, "featureDim">): TensorMetadata[] {
  return [
    tensor("features", "FP32", [-1, featureDim]),
    tensor("coords", "INT32", [-1, 2]),
    tensor("bag", "BYTES", [1]),
  ];
}

/** The outputs of a model. None when it has no head. */
export function inferenceOutputs(model: Described): TensorMetadata[] {
  const { head, task } = model;
  if (head === "") return [];
  const always = answerOutputs(task).map(({ name, datatype, length }) => tensor(name, datatype, [length]));
  if (!saysOfTiles(model)) return always;
  return [...always, tensor("attention", "FP32", [-1, -1]), tensor("coordinates", "FP32", [-1, 2])];
}

/** Whether the head weighs or scores tiles: a mean does not, and of the largest only that of instances. */
function saysOfTiles({ head, configJson }: Described): boolean {
  return head === "max" ? maxLevelOf(configJson) === "instance" : head !== "mean";
}

function maxLevelOf(configJson: string): string | undefined {
  const config = configJson === "" ? {} : (JSON.parse(configJson) as { readonly head?: { readonly level?: string } });
  return config.head?.level;
}

function tensor(name: string, datatype: string, shape: readonly number[]): TensorMetadata {
  return { name, datatype, shape: shape.map(BigInt) };
}
