/**
 * The update at the end of a training step, over flat vectors. Legend: P trainable numbers, P' those of a group that moves.
 */
import { type Model, type ParameterSpec, sizeOfShape } from "@parfocal/models";
import { type GraphPort, tf } from "@parfocal/tensor";
import type { FlatLayout } from "./flat-layout.ts";
import { layerScales } from "./layer-scales.ts";
import type { Optimiser } from "./optimiser.ts";
import { fillParameters, type GroupName, movingGroups, type Phase, partitionOf } from "./parameter-groups.ts";
import type { OptimiserState } from "./update-rule.ts";

type Tensors = Readonly<Record<string, tf.Tensor>>;

/** What a step moves, and how far. */
export interface StepOptions {
  /** Default `joint`. */
  readonly phase?: Phase;
  /** Factor of the step size per layer from the head down, see `layerScales`. Default 1. */
  readonly layerDecay?: number;
}

/** How many numbers `hyper` has: the optimiser's for every group of parameters that moves, in the groups' order. */
function hyperSize({ nHyper }: Optimiser, phase: Phase): number {
  return nHyper * movingGroups(phase).length;
}

/** A port of `size` f32 numbers. */
export function vectorPort(name: string, size: number): GraphPort {
  return { name, dtype: "f32", shape: [size] };
}

/** What an update takes beside weights and gradients. */
export function updatePorts(optimiser: Optimiser, { nTrainable }: FlatLayout, phase: Phase): GraphPort[] {
  const slots = optimiser.slotNames.map((name) => vectorPort(`slot.${name}`, nTrainable));
  return [vectorPort("hyper", hyperSize(optimiser, phase)), ...slots];
}

/** Gradients: `[P]`, of a frozen phase those of the head alone. */
export function gradientPort({ trainable, nTrainable }: FlatLayout, phase: Phase): GraphPort {
  if (phase !== "frozen") return vectorPort("gradients", nTrainable);
  const moving = partitionOf(trainable, phase).specsOf("head");
  return vectorPort(
    "gradients",
    moving.reduce((sum, { shape }) => sum + sizeOfShape(shape), 0),
  );
}

interface UpdateOptions extends StepOptions {
  readonly model: Model;
  readonly optimiser: Optimiser;
  readonly layout: FlatLayout;
}

/** `next.weights` and `next.slot.<name>` after an update of the groups that move; numbers of the others go through untouched. */
export function applyUpdate(
  { model, optimiser, layout, phase = "joint", layerDecay = 1 }: UpdateOptions,
  tensors: Tensors,
  gradients: tf.Tensor1D,
): Tensors {
  const partition = partitionOf(layout.trainable, phase);
  const groups = movingGroups(phase);
  const hypers = tf.split(vector(tensors, "hyper"), groups.length);
  const moved = groups.map((group, i): [GroupName, OptimiserState] => {
    const specs = partition.specsOf(group);
    const cut = (name: string) => partition.cut(vector(tensors, name), group);
    const slots = optimiser.slotNames.map((name) => [name, cut(`slot.${name}`)] as const);
    const next = optimiser.update(
      { weights: cut("weights"), slots: Object.fromEntries(slots) },
      {
        gradients: phase === "frozen" ? gradients : partition.cut(gradients, group),
        hyper: hypers[i] as tf.Tensor1D,
        decayMask: () => fillParameters(specs, ({ decay }) => Number(decay)),
        ...(layerDecay < 1 && { stepScale: scaleOf(model, specs, layerDecay) }),
      },
    );
    return [group, next];
  });
  const join = (name: string, of: (state: OptimiserState) => tf.Tensor1D | undefined): [string, tf.Tensor1D] => {
    const values = new Map(moved.flatMap(([group, state]) => [[group, of(state) as tf.Tensor1D] as const]));
    return [`next.${name}`, partition.replace(vector(tensors, name), values)];
  };
  const slots = optimiser.slotNames.map((name) => join(`slot.${name}`, (state) => state.slots[name]));
  return Object.fromEntries([join("weights", ({ weights }) => weights), ...slots]);
}

/** `[P']`, as constants of the graph. */
function scaleOf(model: Model, specs: readonly ParameterSpec[], layerDecay: number): tf.Tensor1D {
  const scales = new Map(layerScales(model, specs, layerDecay).map((scale, i) => [specs[i], scale]));
  return fillParameters(specs, (spec) => scales.get(spec) ?? 1);
}

function vector(tensors: Tensors, name: string): tf.Tensor1D {
  return tensors[name] as tf.Tensor1D;
}
