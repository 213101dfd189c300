/**
 * A training as graphs over flat state, each given as what `captureGraph` takes. Legend: P trainable numbers, F fixed ones, K logits, N tiles (any).
 *
 * Every graph takes `weights` `[P]` and, in models that have any, `fixed` `[F]`; those that run the model take a bag
 * (`bagPorts`), the ones with dropout also `random.<site>` u16 words. Values that change from step to step (`target`
 * `[2, K]`, `hyper`) are inputs, so each graph is captured once and serves every bag, step and epoch.
 */
import {
  bagPorts,
  type DropoutFunction,
  type DropoutSite,
  type Model,
  modelInputFromPorts,
  type ParameterTensors,
} from "@parfocal/models";
import { type CaptureOptions, dropout, type GraphPort, tf } from "@parfocal/tensor";
import { cutParameters, type FlatLayout, flatLayout, joinFlat } from "./flat-layout.ts";
import { outputLoss } from "./loss.ts";
import type { Optimiser } from "./optimiser.ts";

type Tensors = Readonly<Record<string, tf.Tensor>>;

/**
 * Forward, backward and update of one bag. Inputs besides the model's: `target`, `hyper`, `slot.<name>` `[P]`. Outputs:
 * `loss`, `next.weights`, `next.slot.<name>`.
 */
export function trainStepBuild(model: Model, optimiser: Optimiser): CaptureOptions {
  const layout = flatLayout(model.parameters);
  return {
    name: "train-step",
    inputs: [...modelPorts(model, layout), ...randomPorts(model), targetPort(model), ...updatePorts(optimiser, layout)],
    build(tensors) {
      const { loss, gradients } = lossAndGradients(model, layout, tensors);
      return { loss, ...applyUpdate(optimiser, layout, tensors, gradients) };
    },
  };
}

/**
 * Forward and backward of one bag. Outputs `loss` and `next.gradients` `[P]`, which is the gradient, plus the input
 * `gradients` when `isAccumulating`.
 */
export function gradStepBuild(model: Model, isAccumulating: boolean): CaptureOptions {
  const layout = flatLayout(model.parameters);
  const accumulated: GraphPort[] = isAccumulating ? [vectorPort("gradients", layout.nTrainable)] : [];
  return {
    name: isAccumulating ? "gradient-step" : "first-gradient-step",
    inputs: [...modelPorts(model, layout), ...randomPorts(model), targetPort(model), ...accumulated],
    build(tensors) {
      const { loss, gradients } = lossAndGradients(model, layout, tensors);
      const before = tensors.gradients;
      return { loss, "next.gradients": before === undefined ? gradients : tf.add(before, gradients) };
    },
  };
}

/**
 * The update alone. Inputs `weights`, `gradients`, `scale` `[1]` that multiplies them (1 / bags of the update), `hyper`,
 * `slot.<name>`; outputs `next.weights`, `next.slot.<name>`.
 */
export function applyStepBuild(model: Model, optimiser: Optimiser): CaptureOptions {
  const layout = flatLayout(model.parameters);
  const state = [vectorPort("weights", layout.nTrainable), vectorPort("gradients", layout.nTrainable)];
  return {
    name: "apply-step",
    inputs: [...state, vectorPort("scale", 1), ...updatePorts(optimiser, layout)],
    build: (tensors) =>
      applyUpdate(optimiser, layout, tensors, tf.mul(named(tensors, "gradients"), named(tensors, "scale"))),
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

function modelPorts(model: Model, layout: FlatLayout): GraphPort[] {
  const fixed = layout.nFixed > 0 ? [vectorPort("fixed", layout.nFixed)] : [];
  return [...bagPorts(model), vectorPort("weights", layout.nTrainable), ...fixed];
}

function randomPorts(model: Model): GraphPort[] {
  return model.dropoutSites.map(({ name, shape }): GraphPort => ({ name: `random.${name}`, dtype: "u16", shape }));
}

function targetPort(model: Model): GraphPort {
  return { name: "target", dtype: "f32", shape: [2, model.nLogits] };
}

function updatePorts(optimiser: Optimiser, { nTrainable }: FlatLayout): GraphPort[] {
  const slots = optimiser.slotNames.map((name) => vectorPort(`slot.${name}`, nTrainable));
  return [vectorPort("hyper", optimiser.nHyper), ...slots];
}

function vectorPort(name: string, size: number): GraphPort {
  return { name, dtype: "f32", shape: [size] };
}

function stateParameters(layout: FlatLayout, tensors: Tensors): ParameterTensors {
  const trainable = cutParameters(layout.trainable, named<tf.Tensor1D>(tensors, "weights"));
  return layout.nFixed === 0 ? trainable : { ...trainable, ...cutParameters(layout.fixed, named(tensors, "fixed")) };
}

/** Gradients are taken with respect to the cut parameters: through the cut itself they would be padded and summed. */
function lossAndGradients(
  model: Model,
  layout: FlatLayout,
  tensors: Tensors,
): { loss: tf.Scalar; gradients: tf.Tensor1D } {
  const state = stateParameters(layout, tensors);
  const names = layout.trainable.map((spec) => spec.name);
  const loss = (...values: tf.Tensor[]): tf.Scalar => {
    const parameters = { ...state, ...Object.fromEntries(values.map((value, i) => [names[i] ?? "", value])) };
    const output = model.forward(modelInputFromPorts(tensors), parameters, dropoutFrom(tensors));
    const bag = outputLoss(model.config.task, output, named<tf.Tensor2D>(tensors, "target"));
    return Object.values(output.lossTerms).reduce<tf.Scalar>((sum, term) => tf.add(sum, term), bag);
  };
  const { value, grads } = tf.valueAndGrads(loss)(names.map((name) => named(state, name)));
  return { loss: value as tf.Scalar, gradients: joinFlat(grads) };
}

function dropoutFrom(tensors: Tensors): DropoutFunction {
  return <T extends tf.Tensor>(site: DropoutSite, x: T): T =>
    dropout(x, named(tensors, `random.${site.name}`), 1 - site.probability) as T;
}

function applyUpdate(optimiser: Optimiser, layout: FlatLayout, tensors: Tensors, gradients: tf.Tensor1D): Tensors {
  const slots = Object.fromEntries(
    optimiser.slotNames.map((name) => [name, named<tf.Tensor1D>(tensors, `slot.${name}`)]),
  );
  const next = optimiser.update(
    { weights: named(tensors, "weights"), slots },
    { gradients, hyper: named(tensors, "hyper"), decayMask: () => decayMask(layout) },
  );
  const nextSlots = Object.entries(next.slots).map(([name, value]): [string, tf.Tensor] => [
    `next.slot.${name}`,
    value,
  ]);
  return { "next.weights": next.weights, ...Object.fromEntries(nextSlots) };
}

/** Ones on the numbers that decay, zeros on the rest: fills, which a graph carries as two shapes, not as P numbers. */
function decayMask({ nDecayed, nTrainable }: FlatLayout): tf.Tensor1D {
  return tf.concat1d([tf.ones([nDecayed]), tf.zeros([nTrainable - nDecayed])]);
}

function named<T extends tf.Tensor>(tensors: Tensors, name: string): T {
  return tensors[name] as T;
}
