import {
  type CapturedGraph,
  type ConstantTensor,
  captureGraph,
  type Dim,
  type GraphPort,
  type tf,
} from "@parfocal/tensor";
import { answerName, answerTensor } from "./answer.ts";
import type { Model, ModelInput } from "./build-model.ts";
import { countTokens } from "./mixer/token-layout.ts";
import { KEPT_TILES, REGIONS, type SideInput, type SideTensors, TILES } from "./model.ts";
import { assertWeightsFit, type Weights } from "./parameter.ts";

/** Options of {@link captureAggregate}. */
export interface ServingOptions {
  /** Element type in which features arrive; `f16` is widened exactly inside the graph. Default `f32`. */
  readonly featureType?: "f32" | "f16";
}

/** The graph's inputs that carry a bag: `features` `[N, D]`, and those beyond it that the model asks for. */
export function bagPorts(model: Model, featureType: "f32" | "f16" = "f32"): GraphPort[] {
  const features: GraphPort = { name: "features", dtype: featureType, shape: [TILES, model.config.dIn] };
  return [features, ...sidePorts(model)];
}

/** The inputs beyond the features that the model's re-embedder asks for, i32. Sizes: N tiles, M looked at, R regions. */
export function sidePorts(model: Model): GraphPort[] {
  return model.sideInputs.flatMap((name) =>
    sideShapes(model, name).map(([port, shape]): GraphPort => ({ name: port, dtype: "i32", shape })),
  );
}

/** Names and shapes of the inputs that carry one side input. */
function sideShapes({ sideInputs, regions }: Model, name: SideInput): (readonly [keyof SideTensors, readonly Dim[]])[] {
  switch (name) {
    case "coords":
    case "grid":
      return [[name, [TILES, 2]]];
    case "kept":
      return [["kept", [KEPT_TILES]]];
    case "regions": {
      const nTokens = regions === undefined ? 0 : countTokens(regions);
      const places: Dim[] = [sideInputs.includes("kept") ? KEPT_TILES : TILES];
      return [
        ["slots", [REGIONS, nTokens]],
        ["places", places],
      ];
    }
  }
}

/** The model's input from the tensors of a graph with {@link bagPorts}. */
export function modelInputFromPorts(tensors: Readonly<Record<string, tf.Tensor>>): ModelInput {
  return { features: tensors.features as tf.Tensor2D, ...sidesFromPorts(tensors) };
}

const SIDE_PORTS: readonly (keyof SideTensors)[] = ["coords", "grid", "kept", "slots", "places"];

/** The inputs beyond the features among the tensors of a graph with {@link sidePorts}. */
export function sidesFromPorts(tensors: Readonly<Record<string, tf.Tensor>>): SideTensors {
  return Object.fromEntries(SIDE_PORTS.flatMap((name) => (tensors[name] === undefined ? [] : [[name, tensors[name]]])));
}

/** The values of a model's parameters as constants of a graph; those that it does not use do not get into it. */
export function constantsOf(model: Model, weights: Weights): Record<string, ConstantTensor> {
  assertWeightsFit(model.parameters, weights);
  const entries = model.parameters.map(({ name, shape }): [string, ConstantTensor] => [
    name,
    { dtype: "f32", shape, data: weights[name] ?? new Float32Array() },
  ]);
  return Object.fromEntries(entries);
}

/**
 * The aggregating graph of a model, any N. Of a model with a re-embedder it takes `tiles` `[N, D']` as that leaves them;
 * of one without, a bag (`features` `[N, D]`) and standardises it. Outputs `logits` `[K]`, the answer (`probabilities` `[C]`, `values`,
 * `survival` or `risk`, see {@link answerName}) and, for heads with attention, `attention` `[N, A]`, see `HeadOutput`; it costs nothing where
 * it is not fetched. Weights are initialisers under their names.
 *
 * @throws {DomainError} `SHAPE_MISMATCH` or `NON_FINITE` when `weights` are not the model's; `PRECONDITION_FAILED` for a model
 * without a head.
 */
export function captureAggregate(model: Model, weights: Weights, options: ServingOptions = {}): CapturedGraph {
  const dtype = options.featureType ?? "f32";
  return captureGraph({
    name: "aggregate",
    inputs: model.hasReembedder ? [{ name: "tiles", dtype, shape: [TILES, model.tileWidth] }] : bagPorts(model, dtype),
    constants: constantsOf(model, weights),
    build(tensors) {
      const { logits, attention } = model.hasReembedder
        ? model.stages.head(tensors.tiles as tf.Tensor2D, tensors)
        : model.forward(modelInputFromPorts(tensors), tensors);
      const { task } = model.config;
      const outputs = { logits, [answerName(task)]: answerTensor(task, logits) };
      return attention === undefined ? outputs : { ...outputs, attention };
    },
  });
}
