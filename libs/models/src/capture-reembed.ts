import { DomainError } from "@parfocal/errors";
import { type CapturedGraph, captureGraph, type tf } from "@parfocal/tensor";
import { buildModel, type Model } from "./build-model.ts";
import {
  bagPorts,
  captureAggregate,
  constantsOf,
  modelInputFromPorts,
  sidePorts,
  sidesFromPorts,
} from "./capture-aggregate.ts";
import { TILES } from "./model.ts";
import { assertWeightsFit, type Weights } from "./parameter.ts";

/** The graphs that serve a model. Legend: D features of a tile, W of one behind the stem, D' of a re-embedded one. */
export interface ServingGraphs {
  /** See {@link captureAggregate}; absent in models without a head. */
  readonly aggregate?: CapturedGraph;
  /** Absent in models without a re-embedder. */
  readonly reembed?: ReembedGraphs;
}

/** The graphs of a re-embedder, standardisation included. They hold no weight of the head. */
export interface ReembedGraphs {
  /** `features` `[N, D]` (and the inputs beyond them that it asks for) to `tiles` `[N, D']`, any N. Rows may be fewer, see {@link Model.outputRows}. */
  readonly whole: CapturedGraph;
  /** The same in two halves, for re-embedders with a stem. */
  readonly halves?: ReembedHalves;
}

/** A re-embedder in two graphs, so that rows of a large bag pass the first as they arrive. */
export interface ReembedHalves {
  /** `features` `[N, D]` to `rows` `[N, W]`, each row by itself. */
  readonly stem: CapturedGraph;
  /** `rows` `[N, W]` (and the inputs beyond) of a whole bag to `tiles` `[N, D']`. */
  readonly body: CapturedGraph;
}

/**
 * Every graph that serves a model. Equal re-embedders of different models give equal graphs.
 *
 * @throws {DomainError} `SHAPE_MISMATCH` or `NON_FINITE` when `weights` are not the model's.
 */
export function captureServing(model: Model, weights: Weights): ServingGraphs {
  return {
    ...(model.hasHead && { aggregate: captureAggregate(model, weights) }),
    ...(model.hasReembedder && { reembed: captureReembed(model, weights) }),
  };
}

/**
 * The graphs of a model's re-embedder.
 *
 * @throws {DomainError} `PRECONDITION_FAILED` for a model without one; as {@link captureServing}.
 */
export function captureReembed(trained: Model, trainedWeights: Weights): ReembedGraphs {
  if (!trained.hasReembedder) throw new DomainError("PRECONDITION_FAILED", "the model has no re-embedder to capture");
  const { model, weights } = servedForm(trained, trainedWeights);
  const constants = constantsOf(model, weights);
  const whole = captureGraph({
    name: "reembed",
    inputs: bagPorts(model),
    constants,
    build(tensors) {
      const { features, ...sides } = modelInputFromPorts(tensors);
      const rows = model.stages.stem(features, tensors);
      return { tiles: model.stages.body({ ...sides, tiles: rows }, tensors).tiles };
    },
  });
  if (model.stemWidth === undefined) return { whole };
  const stem = captureGraph({
    name: "reembed-stem",
    inputs: [{ name: "features", dtype: "f32", shape: [TILES, model.config.dIn] }],
    constants,
    build: (tensors) => ({ rows: model.stages.stem(tensors.features as tf.Tensor2D, tensors) }),
  });
  const body = captureGraph({
    name: "reembed-body",
    inputs: [{ name: "rows", dtype: "f32", shape: [TILES, model.stemWidth] }, ...sidePorts(model)],
    constants,
    build({ rows, ...tensors }) {
      return { tiles: model.stages.body({ tiles: rows as tf.Tensor2D, ...sidesFromPorts(tensors) }, tensors).tiles };
    },
  });
  return { whole, halves: { stem, body } };
}

/** The model and weights whose re-embedder serves. @throws {DomainError} As {@link captureServing}. */
function servedForm(model: Model, weights: Weights): { readonly model: Model; readonly weights: Weights } {
  const { folded, config } = model;
  if (folded === undefined) return { model, weights };
  assertWeightsFit(model.parameters, weights);
  return { model: buildModel({ ...config, reembed: folded.config }), weights: folded.weights(weights) };
}
