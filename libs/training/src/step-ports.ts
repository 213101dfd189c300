/**
 * What the graphs of a training take, and what they make of it. Legend: P trainable numbers, F fixed ones, K logits, S opinions.
 */
import { bagPorts, type DropoutFunction, type DropoutSite, type Model, type ParameterTensors } from "@parfocal/models";
import { dropout, type GraphPort, type tf } from "@parfocal/tensor";
import { cutParameters, type FlatLayout } from "./flat-layout.ts";
import { outputLoss, pulledLoss } from "./loss.ts";
import { groupOf, type Phase } from "./parameter-groups.ts";
import { vectorPort } from "./update-graph.ts";

/** Tensors of a graph by port. */
export type Tensors = Readonly<Record<string, tf.Tensor>>;

/** A dropout site with its number among all of the model's, which numbers its random words. */
export type NumberedSite = readonly [number, DropoutSite];

/** A bag, `weights` `[P]` and, in models that have any, `fixed` `[F]`. */
export function modelPorts(model: Model, layout: FlatLayout): GraphPort[] {
  return [...bagPorts(model), ...statePorts(layout)];
}

/** `weights` `[P]` and, in models that have any, `fixed` `[F]`. */
function statePorts(layout: FlatLayout): GraphPort[] {
  const fixed = layout.nFixed > 0 ? [vectorPort("fixed", layout.nFixed)] : [];
  return [vectorPort("weights", layout.nTrainable), ...fixed];
}

/** The places where a step drops activations: a frozen re-embedder drops none. */
export function trainedSites(model: Model, phase: Phase): readonly NumberedSite[] {
  const isIn = ({ name }: DropoutSite) => phase !== "frozen" || groupOf({ name }, phase) === "head";
  return [...model.dropoutSites.entries()].filter(([, site]) => isIn(site));
}

/** The places of one stage where activations are dropped. */
export function sitesOf(model: Model, stage: "head" | "reembed"): readonly NumberedSite[] {
  return [...model.dropoutSites.entries()].filter(([, site]) => groupOf(site, "frozen") === stage);
}

/** The random words of some sites, u16. */
export function randomPorts(sites: readonly NumberedSite[]): GraphPort[] {
  return sites.map(([, { name, shape }]): GraphPort => ({ name: `random.${name}`, dtype: "u16", shape }));
}

/** What a step is told of the bag: `target` `[2, K]`, or with `nOpinions`, S, `pulls` `[S, K + 1]`, see `pulledLoss`. */
export function toldPort(model: Model, nOpinions?: number): GraphPort {
  if (nOpinions === undefined) return { name: "target", dtype: "f32", shape: [2, model.nLogits] };
  return { name: "pulls", dtype: "f32", shape: [nOpinions, model.nLogits + 1] };
}

/** The loss of what a model made of a bag, by what the step is told of it: see {@link toldPort}. */
export function toldLoss(model: Model, output: Parameters<typeof outputLoss>[1], tensors: Tensors): tf.Scalar {
  const pulls = tensors.pulls as tf.Tensor2D | undefined;
  if (pulls !== undefined) return pulledLoss(output, pulls);
  return outputLoss(model.config.task, output, named<tf.Tensor2D>(tensors, "target"));
}

/** The parameters of a model from its flat state. */
export function stateParameters(layout: FlatLayout, tensors: Tensors): ParameterTensors {
  const trainable = cutParameters(layout.trainable, named<tf.Tensor1D>(tensors, "weights"));
  return layout.nFixed === 0 ? trainable : { ...trainable, ...cutParameters(layout.fixed, named(tensors, "fixed")) };
}

/** Dropout by the random words among the tensors of a graph. */
export function dropoutFrom(tensors: Tensors): DropoutFunction {
  return <T extends tf.Tensor>(site: DropoutSite, x: T): T => {
    const words = named(tensors, `random.${site.name}`);
    return (site.isDraw ? words : dropout(x, words, 1 - site.probability)) as T;
  };
}

/** The tensor of a port. */
export function named<T extends tf.Tensor>(tensors: Tensors, name: string): T {
  return tensors[name] as T;
}
