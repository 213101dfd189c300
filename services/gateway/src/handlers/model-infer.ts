import { DomainError } from "@parfocal/errors";
import { type commonV1, type gatewayV1, type inferenceV2, parseResourceName } from "@parfocal/protocol";
import type { HandlerContext } from "@parfocal/runtime";
import type { GatewayDeps } from "../deps.ts";
import { answerTensors } from "../inference/answer-outputs.ts";
import { encodeOutputs, needsAttention, wantedOutputs } from "../inference/infer-outputs.ts";
import { importHintsOf, inferSubjectOf } from "../inference/infer-subject.ts";
import { parseInferenceModel } from "../inference/inference-model.ts";
import type { OutputTensor } from "../inference/output-tensor.ts";
import { readArray } from "../inference/read-array.ts";
import { type WithBagDeps, withBag } from "../inference/with-bag.ts";
import { type PredictionStages, predictReference } from "../predict-reference.ts";

type Deps = Pick<GatewayDeps, "models"> & WithBagDeps & PredictionStages;

/** Settings of {@link createModelInfer}. */
export interface InferOptions {
  /** Project of models that are named by their bare id. */
  readonly defaultProject: string;
  /** Most bytes of one array in an answer. */
  readonly maxArrayBytes: number;
}

/**
 * `ModelInfer` of the Open Inference Protocol: `Predict` in tensors. A bag comes by reference, or inline where it fits a message;
 * inline ones are imported for the time of the call, so that stages get references here as everywhere.
 */
export function createModelInfer({ models, aggregate, reembed, ...deps }: Deps, options: InferOptions) {
  return async (
    request: inferenceV2.ModelInferRequest,
    context: HandlerContext,
  ): Promise<inferenceV2.ModelInferResponse> => {
    const { signal } = context;
    const { modelName, modelVersion, id } = request;
    const { project, model, selector } = parseInferenceModel(
      modelName,
      modelVersion,
      options.defaultProject,
      "model_name",
    );
    const subject = inferSubjectOf(request);
    const hints = importHintsOf(request.parameters);
    const version = await models.get(project, model, selector, { signal });
    const names = wantedOutputs(request.outputs, version.task);
    const answer = await withBag(deps, { project, subject, hints, signal }, ({ reference, isTransient }) => {
      const wish = { includeAttention: needsAttention(names), isTransient };
      return predictReference({ aggregate, reembed }, version, [reference], wish, context);
    });
    const tensors = await tensorsOf(deps, version.task, answer, options.maxArrayBytes, signal);
    const wanted = names.flatMap((name) => tensors.find((tensor) => tensor.name === name) ?? missing(name));
    return {
      ...{ modelName, modelVersion: parseResourceName("modelVersion", version.name).version, id },
      parameters: { engine_ms: { parameterChoice: { $case: "doubleParam", value: answer.prediction?.engineMs ?? 0 } } },
      ...encodeOutputs(wanted, request.rawInputContents.length > 0),
    };
  };
}

async function tensorsOf(
  { store }: Pick<WithBagDeps, "store">,
  task: commonV1.Task | undefined,
  { prediction, attention }: Pick<gatewayV1.PredictResponse, "prediction" | "attention">,
  maxBytes: number,
  signal: AbortSignal,
): Promise<OutputTensor[]> {
  if (prediction === undefined) throw new DomainError("INTERNAL", "a stage answered without a prediction");
  const arrays = { attention: attention?.weights, coordinates: attention?.coordinates };
  const tensors = answerTensors(task, prediction);
  for (const [name, array] of Object.entries(arrays)) {
    if (array === undefined) continue;
    tensors.push({ name, shape: array.shape, values: await readArray(store, array, maxBytes, signal) });
  }
  return tensors;
}

/** Only coordinates can be missing: heads without attention are refused by the stage. */
function missing(name: string): never {
  throw new DomainError("PRECONDITION_FAILED", `the bag gives no ${name}`, { details: { field: "outputs" } });
}
