import { inferenceV2, isResourceId, resourceName } from "@parfocal/protocol";
import type { LimitsByMethod, NamesByMethod } from "@parfocal/runtime";
import { inputTensorsOf, textOf } from "./inference/input-tensor.ts";

/** Methods of the gateway that concern no project. */
export const PROJECT_FREE = [
  "parfocal.gateway.v1.TrainingService/ListPresets",
  "inference.GRPCInferenceService/ServerLive",
  "inference.GRPCInferenceService/ServerReady",
  "inference.GRPCInferenceService/ServerMetadata",
];

/**
 * Bounds of methods that differ from the configured ones: a watcher waits, and holds a few kilobytes while it does; a comparison keeps a
 * core busy.
 */
export const LIMITS: LimitsByMethod = {
  "parfocal.gateway.v1.ModelService/CompareModels": { maxConcurrent: 4 },
  "parfocal.gateway.v1.OperationService/WatchOperation": { maxConcurrent: 1024 },
};

const SERVICE = inferenceV2.GRPCInferenceServiceDefinition.fullName;

/**
 * What requests of the Open Inference Protocol name where no text shows it: a bare id is a model of `defaultProject`, and
 * a bag or a file is named in the bytes of a tensor.
 */
export function inferenceNames(defaultProject: string): NamesByMethod {
  const modelOf = (name: string) =>
    isResourceId(name) ? [resourceName("model", { project: defaultProject, model: name })] : [];
  const ofModel = (request: unknown) => modelOf((request as inferenceV2.ModelReadyRequest).name);
  return {
    [`${SERVICE}/ModelReady`]: ofModel,
    [`${SERVICE}/ModelMetadata`]: ofModel,
    [`${SERVICE}/ModelInfer`]: (request) => {
      const infer = request as inferenceV2.ModelInferRequest;
      return [...modelOf(infer.modelName), ...textsOf(infer)];
    },
  };
}

/** The text of the input `bag`. A request that is refused here would be refused by its handler with the same error. */
function textsOf(request: inferenceV2.ModelInferRequest): readonly string[] {
  if (!request.inputs.some(({ name }) => name === "bag")) return [];
  return inputTensorsOf(request)
    .filter(({ name }) => name === "bag")
    .map(textOf);
}
