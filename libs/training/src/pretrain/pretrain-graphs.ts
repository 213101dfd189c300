/**
 * A pretraining as graphs over flat state, each given as what `captureGraph` takes. Legend: P trainable numbers.
 *
 * Every graph takes `weights` `[P]`; those that run the network take views by `pretrainPorts`. What changes from step to step
 * (`hyper`) is an input, so each graph is captured once.
 */
import { type PretrainModel, type PretrainPortOptions, pretrainInputFromPorts, pretrainPorts } from "@parfocal/models";
import { type CaptureOptions, type GraphPort, tf } from "@parfocal/tensor";
import { cutParameters, type FlatLayout, flatLayout, joinFlat } from "../flat-layout.ts";
import type { Optimiser } from "../optimiser.ts";
import { fillParameters } from "../parameter-groups.ts";
import { vectorPort } from "../update-graph.ts";

type Tensors = Readonly<Record<string, tf.Tensor>>;

/**
 * Forward, backward and update of one micro-batch that is the whole batch. Inputs besides the views: `weights`, `hyper`,
 * `slot.<name>` `[P]`. Outputs: the losses, `next.weights`, `next.slot.<name>`.
 */
export function pretrainStepBuild(
  model: PretrainModel,
  optimiser: Optimiser,
  ports: PretrainPortOptions,
): CaptureOptions {
  const layout = flatLayout(model.parameters);
  return {
    name: graphName("pretrain-step", ports),
    inputs: [
      ...pretrainPorts(model, ports),
      vectorPort("weights", layout.nTrainable),
      ...updatePorts(optimiser, layout),
    ],
    build(tensors) {
      const { losses, gradients } = lossesAndGradients(model, layout, tensors);
      return { ...losses, ...updated(optimiser, layout, tensors, gradients) };
    },
  };
}

/**
 * Forward and backward of one micro-batch. Outputs the losses and `next.gradients` `[P]`, which is the gradient plus the input
 * `gradients` when `isAccumulating`.
 */
export function pretrainGradientBuild(
  model: PretrainModel,
  ports: PretrainPortOptions,
  isAccumulating: boolean,
): CaptureOptions {
  const layout = flatLayout(model.parameters);
  const vectors = isAccumulating ? ["weights", "gradients"] : ["weights"];
  return {
    name: graphName(isAccumulating ? "pretrain-gradient" : "pretrain-first-gradient", ports),
    inputs: [...pretrainPorts(model, ports), ...vectors.map((name) => vectorPort(name, layout.nTrainable))],
    build(tensors) {
      const { losses, gradients } = lossesAndGradients(model, layout, tensors);
      const { gradients: before } = tensors;
      return { ...losses, "next.gradients": before === undefined ? gradients : tf.add(before, gradients) };
    },
  };
}

/**
 * The update alone. Inputs `weights`, `gradients`, `scale` `[1]` that multiplies them (1 / micro-batches), `hyper`, `slot.<name>`;
 * outputs `next.weights`, `next.slot.<name>`.
 */
export function pretrainApplyBuild(model: PretrainModel, optimiser: Optimiser): CaptureOptions {
  const layout = flatLayout(model.parameters);
  const state = ["weights", "gradients"].map((name) => vectorPort(name, layout.nTrainable));
  return {
    name: "pretrain-apply",
    inputs: [...state, vectorPort("scale", 1), ...updatePorts(optimiser, layout)],
    build: (tensors) =>
      updated(optimiser, layout, tensors, tf.mul(vector(tensors, "gradients"), vector(tensors, "scale"))),
  };
}

/** The losses of some views without learning from them. */
export function pretrainLossBuild(model: PretrainModel, ports: PretrainPortOptions): CaptureOptions {
  const layout = flatLayout(model.parameters);
  return {
    name: graphName("pretrain-loss", ports),
    inputs: [...pretrainPorts(model, ports), vectorPort("weights", layout.nTrainable)],
    build: (tensors) => ({
      ...model.forward(pretrainInputFromPorts(tensors), cutParameters(layout.trainable, vector(tensors, "weights"))),
    }),
  };
}

/** Graphs that mask attention have names of their own. */
export function graphName(name: string, { isRagged }: PretrainPortOptions): string {
  return isRagged ? `ragged-${name}` : name;
}

/** Gradients are taken with respect to the cut parameters: through the cut itself they would be padded and summed. */
function lossesAndGradients(model: PretrainModel, layout: FlatLayout, tensors: Tensors) {
  const parameters = cutParameters(layout.trainable, vector(tensors, "weights"));
  const names = layout.trainable.map(({ name }) => name);
  let losses: Tensors = {};
  const loss = (...values: tf.Tensor[]): tf.Scalar => {
    const output = model.forward(
      pretrainInputFromPorts(tensors),
      Object.fromEntries(values.map((value, i) => [names[i] ?? "", value])),
    );
    // What is not returned is forgotten when the gradients are done.
    losses = Object.fromEntries(
      Object.entries({ ...output }).map(([name, part]) => [name, tf.keep(part as tf.Tensor)]),
    );
    return output.loss;
  };
  const { grads } = tf.valueAndGrads(loss)(names.map((name) => parameters[name] as tf.Tensor));
  return { losses, gradients: joinFlat(grads) };
}

function updatePorts(optimiser: Optimiser, { nTrainable }: FlatLayout): GraphPort[] {
  const slots = optimiser.slotNames.map((name) => vectorPort(`slot.${name}`, nTrainable));
  return [vectorPort("hyper", optimiser.nHyper), ...slots];
}

/** `next.weights` and `next.slot.<name>`; decay touches what the parameters' declarations say, which is matrices. */
function updated(optimiser: Optimiser, layout: FlatLayout, tensors: Tensors, gradients: tf.Tensor1D): Tensors {
  const slots = optimiser.slotNames.map((name) => [name, vector(tensors, `slot.${name}`)] as const);
  const next = optimiser.update(
    { weights: vector(tensors, "weights"), slots: Object.fromEntries(slots) },
    {
      gradients,
      hyper: vector(tensors, "hyper"),
      decayMask: () => fillParameters(layout.trainable, ({ decay }) => Number(decay)),
    },
  );
  const nextSlots = optimiser.slotNames.map((name) => [`next.slot.${name}`, next.slots[name] as tf.Tensor] as const);
  return { "next.weights": next.weights, ...Object.fromEntries(nextSlots) };
}

/** A flat vector among the inputs of a graph. */
export function vector(tensors: Tensors, name: string): tf.Tensor1D {
  return tensors[name] as tf.Tensor1D;
}
