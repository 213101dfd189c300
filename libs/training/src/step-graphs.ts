/**
 * A training as graphs over flat state, each given as what `captureGraph` takes. Legend: P trainable numbers, F fixed ones, K logits, N tiles (any).
 *
 * Every graph takes `weights` `[P]` and, in models that have any, `fixed` `[F]`; those that run the model take a bag
 * (`bagPorts`), the ones with dropout also `random.<site>` u16 words. Values that change from step to step (`target`
 * `[2, K]`, `hyper`) are inputs, so each graph is captured once and serves every bag, step and epoch.
 */
import { bagPorts, type Model, type ModelOutput, modelInputFromPorts, type ParameterTensors } from "@parfocal/models";
import { type CaptureOptions, type GraphPort, tf } from "@parfocal/tensor";
import { type FlatLayout, flatLayout, joinFlat } from "./flat-layout.ts";
import { opinions } from "./loss.ts";
import type { Optimiser } from "./optimiser.ts";
import { type Phase, partitionOf } from "./parameter-groups.ts";
import {
  dropoutFrom,
  modelPorts,
  named,
  randomPorts,
  stateParameters,
  type Tensors,
  toldLoss,
  toldPort,
  trainedSites,
} from "./step-ports.ts";
import { applyUpdate, gradientPort, type StepOptions, updatePorts, vectorPort } from "./update-graph.ts";

/**
 * Forward, backward and update of one bag. Inputs besides the model's: `target`, `hyper` (of every group that moves, in their order),
 * `slot.<name>` `[P]`. Outputs: `loss`, `next.weights`, `next.slot.<name>`.
 */
export function trainStepBuild(model: Model, optimiser: Optimiser, options: StepOptions = {}): CaptureOptions {
  const layout = flatLayout(model.parameters);
  const { phase = "joint" } = options;
  const update = updatePorts(optimiser, layout, phase);
  return {
    name: phase === "frozen" ? "frozen-train-step" : "train-step",
    inputs: [...modelPorts(model, layout), ...randomPorts(trainedSites(model, phase)), toldPort(model), ...update],
    build(tensors) {
      const { loss, gradients } = lossAndGradients(model, layout, tensors, phase);
      return { loss, ...applyUpdate({ model, optimiser, layout, ...options }, tensors, gradients) };
    },
  };
}

/**
 * Forward and backward of one bag. Outputs `loss` and `next.gradients` (`[P]`, of a frozen phase those of the head alone),
 * which is the gradient, plus the input `gradients` when `isAccumulating`. With `nOpinions`, S, it takes `pulls` `[S, K + 1]` in place of
 * `target`: see `pulledLoss`.
 */
export function gradStepBuild(
  model: Model,
  isAccumulating: boolean,
  phase: Phase = "joint",
  nOpinions?: number,
): CaptureOptions {
  const layout = flatLayout(model.parameters);
  const accumulated: GraphPort[] = isAccumulating ? [gradientPort(layout, phase)] : [];
  const pulled = nOpinions === undefined ? "" : "pulled-";
  const name = isAccumulating ? `${pulled}gradient-step` : `first-${pulled}gradient-step`;
  return {
    name: phase === "frozen" ? `frozen-${name}` : name,
    inputs: [
      ...modelPorts(model, layout),
      ...randomPorts(trainedSites(model, phase)),
      toldPort(model, nOpinions),
      ...accumulated,
    ],
    build(tensors) {
      const { loss, gradients } = lossAndGradients(model, layout, tensors, phase);
      const before = tensors.gradients;
      return { loss, "next.gradients": before === undefined ? gradients : tf.add(before, gradients) };
    },
  };
}

/**
 * The update alone. Inputs `weights`, `gradients`, `scale` `[1]` that multiplies them (1 / bags of the update), `hyper`,
 * `slot.<name>`; outputs `next.weights`, `next.slot.<name>`.
 */
export function applyStepBuild(model: Model, optimiser: Optimiser, options: StepOptions = {}): CaptureOptions {
  const layout = flatLayout(model.parameters);
  const { phase = "joint" } = options;
  const state = [vectorPort("weights", layout.nTrainable), gradientPort(layout, phase)];
  return {
    name: phase === "frozen" ? "frozen-apply-step" : "apply-step",
    inputs: [...state, vectorPort("scale", 1), ...updatePorts(optimiser, layout, phase)],
    build(tensors) {
      const gradients = tf.mul<tf.Tensor1D>(named(tensors, "gradients"), named(tensors, "scale"));
      return applyUpdate({ model, optimiser, layout, ...options }, tensors, gradients);
    },
  };
}

/** The model as a step runs it, dropout included, without a loss. Output `opinions` `[S, K]`: every set of logits that the loss looks at. */
export function opinionsBuild(model: Model, phase: Phase = "joint"): CaptureOptions {
  const layout = flatLayout(model.parameters);
  return {
    name: phase === "frozen" ? "frozen-opinions" : "opinions",
    inputs: [...modelPorts(model, layout), ...randomPorts(trainedSites(model, phase))],
    build(tensors) {
      const state = stateParameters(layout, tensors);
      return { opinions: opinions(forwardOf(model, state, tensors, phase)(state)) };
    },
  };
}

/** The model without dropout on the weights in training. Output `logits` `[K]`; the host makes the loss of them. */
export function logitsBuild(model: Model): CaptureOptions {
  const layout = flatLayout(model.parameters);
  return {
    name: "logits",
    inputs: modelPorts(model, layout),
    build: (tensors) => ({
      logits: model.forward(modelInputFromPorts(tensors), stateParameters(layout, tensors)).logits,
    }),
  };
}

/** Sum over tiles of one bag's features and of their squared distances from the bag's own mean: `mean`, `spread` `[D]`. */
export function momentsBuild(model: Model): CaptureOptions {
  return {
    name: "moments",
    inputs: bagPorts(model).slice(0, 1),
    build(tensors) {
      const features = named<tf.Tensor2D>(tensors, "features");
      const mean = tf.mean<tf.Tensor1D>(features, 0);
      return { mean, spread: tf.sum(tf.square(tf.sub(features, mean)), 0) };
    },
  };
}

/** Gradients are taken with respect to the cut parameters: through the cut itself they would be padded and summed. */
function lossAndGradients(
  model: Model,
  layout: FlatLayout,
  tensors: Tensors,
  phase: Phase,
): { loss: tf.Scalar; gradients: tf.Tensor1D } {
  const state = stateParameters(layout, tensors);
  const forward = forwardOf(model, state, tensors, phase);
  const moving = phase === "frozen" ? partitionOf(layout.trainable, phase).specsOf("head") : layout.trainable;
  const names = moving.map((spec) => spec.name);
  const loss = (...values: tf.Tensor[]): tf.Scalar => {
    const parameters = { ...state, ...Object.fromEntries(values.map((value, i) => [names[i] ?? "", value])) };
    const output = forward(parameters);
    const bag = toldLoss(model, output, tensors);
    return Object.values(output.lossTerms).reduce<tf.Scalar>((sum, term) => tf.add(sum, term), bag);
  };
  const { value, grads } = tf.valueAndGrads(loss)(names.map((name) => named(state, name)));
  return { loss: value as tf.Scalar, gradients: joinFlat(grads) };
}

type Forward = (parameters: ParameterTensors) => ModelOutput;

function forwardOf(model: Model, state: ParameterTensors, tensors: Tensors, phase: Phase): Forward {
  return phase === "frozen" ? frozenForward(model, state, tensors) : jointForward(model, tensors);
}

function jointForward(model: Model, tensors: Tensors): Forward {
  return (parameters) => model.forward(modelInputFromPorts(tensors), parameters, dropoutFrom(tensors));
}

/** The re-embedder runs outside of what is differentiated, as it serves: nothing dropped, no objective of its own. */
function frozenForward(model: Model, state: ParameterTensors, tensors: Tensors): Forward {
  const { features, ...sides } = modelInputFromPorts(tensors);
  const { tiles } = model.stages.body({ ...sides, tiles: model.stages.stem(features, state) }, state);
  return (parameters) => ({ ...model.stages.head(tiles, parameters, dropoutFrom(tensors)), lossTerms: {} });
}
