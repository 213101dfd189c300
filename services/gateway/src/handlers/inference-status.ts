import { readFileSync } from "node:fs";
import { isDomainError } from "@parfocal/errors";
import { type gatewayV1, type inferenceV2, parseResourceName } from "@parfocal/protocol";
import type { HandlerContext } from "@parfocal/runtime";
import type { GatewayDeps } from "../deps.ts";
import { parseInferenceModel } from "../inference/inference-model.ts";
import { inferenceInputs, inferenceOutputs } from "../inference/model-tensors.ts";
import { newestVersions } from "../inference/newest-versions.ts";

type Deps = Pick<GatewayDeps, "models" | "areStagesServing">;

const { version: VERSION } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
  readonly version: string;
};

/** `ServerLive`: true, as it answers. */
export function createServerLive() {
  return async (): Promise<inferenceV2.ServerLiveResponse> => ({ live: true });
}

/** `ServerReady`: whether the stages that predict say that they serve. */
export function createServerReady({ areStagesServing }: Pick<Deps, "areStagesServing">) {
  return async (
    _: inferenceV2.ServerReadyRequest,
    context: HandlerContext,
  ): Promise<inferenceV2.ServerReadyResponse> => ({
    ready: await areStagesServing(context),
  });
}

/** `ServerMetadata`. */
export function createServerMetadata() {
  return async (): Promise<inferenceV2.ServerMetadataResponse> => ({
    name: "parfocal",
    version: VERSION,
    extensions: [],
  });
}

/** `ModelReady`: whether the model is there, decides something, and the stages serve. A name that is none is an error. */
export function createModelReady({ models, areStagesServing }: Deps, defaultProject: string) {
  return async (
    { name, version }: inferenceV2.ModelReadyRequest,
    context: HandlerContext,
  ): Promise<inferenceV2.ModelReadyResponse> => {
    const { project, model, selector } = parseInferenceModel(name, version, defaultProject, "name");
    const entry = await models.get(project, model, selector, { signal: context.signal }).catch(noneIfAbsent);
    return { ready: entry !== undefined && entry.head !== "" && (await areStagesServing(context)) };
  };
}

/**
 * `ModelMetadata`: tensors of the version meant, and the versions that can be asked for: the chosen one where one is chosen. `features` with
 * `coords`, and `bag`, are two ways to ask; one of them is sent.
 */
export function createModelMetadata({ models }: Pick<Deps, "models">, defaultProject: string) {
  return async (
    { name, version }: inferenceV2.ModelMetadataRequest,
    { signal }: HandlerContext,
  ): Promise<inferenceV2.ModelMetadataResponse> => {
    const { project, model, selector } = parseInferenceModel(name, version, defaultProject, "name");
    const entry = await models.get(project, model, selector, { signal });
    const versions =
      selector.kind === "default"
        ? await newestVersions(models, project, model, signal)
        : [parseResourceName("modelVersion", entry.name).version];
    return {
      ...{ name, versions },
      ...{ platform: "onnxruntime_onnx", inputs: inferenceInputs(entry), outputs: inferenceOutputs(entry) },
    };
  };
}

function noneIfAbsent(error: unknown): gatewayV1.Model | undefined {
  if (isDomainError(error, "NOT_FOUND")) return undefined;
  throw error;
}
