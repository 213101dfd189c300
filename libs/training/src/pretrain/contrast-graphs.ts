/**
 * The contrastive loss of a batch that takes several runs, as graphs. Legend: V views, P width of a projection.
 */
import { DomainError } from "@parfocal/errors";
import {
  type PretrainModel,
  type PretrainPortOptions,
  pretrainInputFromPorts,
  projectionPorts,
} from "@parfocal/models";
import { type CaptureOptions, type GraphPort, tf } from "@parfocal/tensor";
import { cutParameters, flatLayout } from "../flat-layout.ts";
import { vectorPort } from "../update-graph.ts";
import { graphName, vector } from "./pretrain-graphs.ts";

/** Projections `[V, P]` of some views, of which the contrastive loss of a whole batch is made: output `projections`. */
export function projectionBuild(model: PretrainModel, ports: PretrainPortOptions): CaptureOptions {
  const layout = flatLayout(model.parameters);
  return {
    name: graphName("pretrain-projection", ports),
    inputs: [...projectionPorts(model, ports), vectorPort("weights", layout.nTrainable)],
    build: (tensors) => ({
      projections: contrastiveOf(model).project(
        pretrainInputFromPorts(tensors),
        cutParameters(layout.trainable, vector(tensors, "weights")),
      ),
    }),
  };
}

/**
 * The contrastive loss of the `nViews` projections of a whole batch: inputs `projections` `[V, P]`, `slides` where they matter, and
 * `scale` `[1]`; outputs `contrastiveLoss` and `pulls` `[V, P]`, its gradient × scale.
 */
export function contrastBuild(model: PretrainModel, nViews: number): CaptureOptions {
  const contrastive = contrastiveOf(model);
  const slides: GraphPort[] = model.config.contrastive?.dropSameSlideNegatives
    ? [{ name: "slides", dtype: "i32", shape: [nViews] }]
    : [];
  return {
    name: "pretrain-contrast",
    inputs: [
      { name: "projections", dtype: "f32", shape: [nViews, contrastive.width] },
      ...slides,
      vectorPort("scale", 1),
    ],
    build(tensors) {
      const { value, grad } = tf.valueAndGrad((projections: tf.Tensor) =>
        contrastive.loss(projections as tf.Tensor2D, tensors.slides as tf.Tensor1D | undefined),
      )(tensors.projections as tf.Tensor);
      return { contrastiveLoss: value, pulls: tf.mul(grad, vector(tensors, "scale")) };
    },
  };
}

function contrastiveOf({ contrastive }: PretrainModel): NonNullable<PretrainModel["contrastive"]> {
  if (contrastive !== undefined) return contrastive;
  throw new DomainError("INTERNAL", "a pretraining without a contrastive objective has no projections");
}
