/**
 * The steps of a bag that is several slides' re-embedded rows end to end: each slide goes through the re-embedder by itself, the head sees
 * their rows as one bag, and each slide's gradient is taken again from what the head says of its rows. Together they are the gradient of the
 * whole, exactly, in the memory of one slide and the rows (gradient caching, Gao et al. 2021).
 *
 * Legend: J rows of all slides, M those of one, D' their features, P trainable numbers, K logits, S opinions.
 */
import { type Model, modelInputFromPorts, type ParameterTensors, ROW_SIZES } from "@parfocal/models";
import { type CaptureOptions, type GraphPort, tf } from "@parfocal/tensor";
import { type FlatLayout, flatLayout, joinFlat } from "./flat-layout.ts";
import { opinions } from "./loss.ts";
import { groupOf, type Phase } from "./parameter-groups.ts";
import {
  dropoutFrom,
  modelPorts,
  named,
  randomPorts,
  sitesOf,
  stateParameters,
  type Tensors,
  toldLoss,
  toldPort,
} from "./step-ports.ts";
import { gradientPort, vectorPort } from "./update-graph.ts";

/** One slide through the re-embedder, with its dropout when it `learns`. Output `tiles` `[M, D']`. */
export function slideRowsBuild(model: Model, learns: boolean): CaptureOptions {
  const layout = flatLayout(model.parameters);
  return {
    name: learns ? "learning-slide-rows" : "slide-rows",
    inputs: [...modelPorts(model, layout), ...(learns ? randomPorts(sitesOf(model, "reembed")) : [])],
    build: (tensors) => ({ tiles: rowsOf(model, stateParameters(layout, tensors), tensors, learns).tiles }),
  };
}

/**
 * Forward and backward of the head over joined rows `tiles` `[J, D']`. Outputs `loss`, `next.gradients` (as `gradStepBuild`: 0 for the
 * re-embedder, in a frozen phase the head's alone) and, unless the phase is frozen, `slopes` `[J, D']`, the loss's gradient by the rows.
 */
export function joinedHeadBuild(
  model: Model,
  isAccumulating: boolean,
  phase: Phase,
  nOpinions?: number,
): CaptureOptions {
  const layout = flatLayout(model.parameters);
  const accumulated = isAccumulating ? [gradientPort(layout, phase)] : [];
  return {
    name: `${phase}-${isAccumulating ? "" : "first-"}joined-head-step`,
    inputs: [...headPorts(model, layout, true), toldPort(model, nOpinions), ...accumulated],
    build(tensors) {
      const { loss, gradients, slopes } = headGradients(model, layout, tensors, phase);
      const next = "gradients" in tensors ? tf.add(named(tensors, "gradients"), gradients) : gradients;
      return { loss, "next.gradients": next, ...(phase !== "frozen" && { slopes }) };
    },
  };
}

/**
 * The share of one slide in the gradient: its rows once more, pulled by `slopes` `[J, D']`, of which its own begin at `first` `[1]` (i32).
 * Output `next.gradients` `[P]`, the input `gradients` and that share.
 */
export function slideGradientBuild(model: Model): CaptureOptions {
  const layout = flatLayout(model.parameters);
  const random = randomPorts(sitesOf(model, "reembed"));
  const slopes: GraphPort = { name: "slopes", dtype: "f32", shape: ["J", model.tileWidth] };
  const first: GraphPort = { name: "first", dtype: "i32", shape: [1] };
  return {
    name: "slide-gradient",
    inputs: [...modelPorts(model, layout), ...random, slopes, first, gradientPort(layout, "joint")],
    build(tensors) {
      const state = stateParameters(layout, tensors);
      const names = namesIn(layout, "reembed");
      const pulled = (...values: tf.Tensor[]): tf.Scalar => {
        const { tiles, lossTerms = {} } = rowsOf(model, withValues(state, names, values), tensors, true);
        const own = tf.sum<tf.Scalar>(tf.mul(tiles, slopesOf(tensors, tiles)));
        return Object.values(lossTerms).reduce<tf.Scalar>((sum, term) => tf.add(sum, term), own);
      };
      const grads = tf.grads(pulled)(names.map((name) => named(state, name)));
      const share = inLayout(layout, new Map(names.map((name, i) => [name, grads[i]])));
      return { "next.gradients": tf.add(named(tensors, "gradients"), share) };
    },
  };
}

/** The head over joined rows as a step runs it, dropout included. Output `opinions` `[S, K]`. */
export function joinedOpinionsBuild(model: Model): CaptureOptions {
  const layout = flatLayout(model.parameters);
  return {
    name: "joined-opinions",
    inputs: headPorts(model, layout, true),
    build(tensors) {
      const output = model.stages.head(named(tensors, "tiles"), headState(layout, tensors), dropoutFrom(tensors));
      return { opinions: opinions(output) };
    },
  };
}

/** The head over joined rows without dropout. Output `logits` `[K]`. */
export function joinedLogitsBuild(model: Model): CaptureOptions {
  const layout = flatLayout(model.parameters);
  return {
    name: "joined-logits",
    inputs: headPorts(model, layout, false),
    build: (tensors) => ({ logits: model.stages.head(named(tensors, "tiles"), headState(layout, tensors)).logits }),
  };
}

function headPorts(model: Model, layout: FlatLayout, learns: boolean): GraphPort[] {
  const tiles: GraphPort = { name: "tiles", dtype: "f32", shape: [ROW_SIZES[model.outputRows], model.tileWidth] };
  const random = learns ? randomPorts(sitesOf(model, "head")) : [];
  return [tiles, vectorPort("weights", layout.nTrainable), ...random];
}

/** Parameters of the head: none of them is fixed, as only standardisation is. */
function headState(layout: FlatLayout, tensors: Tensors): ParameterTensors {
  return stateParameters({ ...layout, fixed: [], nFixed: 0 }, tensors);
}

function rowsOf(model: Model, parameters: ParameterTensors, tensors: Tensors, learns: boolean) {
  const { features, ...sides } = modelInputFromPorts(tensors);
  const dropout = learns ? dropoutFrom(tensors) : undefined;
  const tiles = model.stages.stem(features, parameters, dropout);
  return model.stages.body({ ...sides, tiles }, parameters, dropout);
}

function headGradients(model: Model, layout: FlatLayout, tensors: Tensors, phase: Phase) {
  const state = headState(layout, tensors);
  const names = namesIn(layout, "head");
  const lossOf = (tiles: tf.Tensor, ...values: tf.Tensor[]): tf.Scalar => {
    const parameters = withValues(state, names, values);
    return toldLoss(model, model.stages.head(tiles as tf.Tensor2D, parameters, dropoutFrom(tensors)), tensors);
  };
  const at = [named(tensors, "tiles"), ...names.map((name) => named(state, name))];
  const { value, grads } = tf.valueAndGrads(lossOf)(at);
  const [slopes, ...own] = grads;
  const gradients =
    phase === "frozen" ? joinFlat(own) : inLayout(layout, new Map(names.map((name, i) => [name, own[i]])));
  return { loss: value as tf.Scalar, slopes: slopes as tf.Tensor2D, gradients };
}

/** The rows of `slopes` that are of `tiles`. */
function slopesOf(tensors: Tensors, tiles: tf.Tensor2D): tf.Tensor {
  const rows = tf.add(tf.range(0, tiles.shape[0], 1, "int32"), named(tensors, "first"));
  return tf.gather(named(tensors, "slopes"), rows as tf.Tensor1D);
}

function namesIn({ trainable }: FlatLayout, stage: "head" | "reembed"): string[] {
  return trainable.filter((spec) => groupOf(spec, "frozen") === stage).map(({ name }) => name);
}

function withValues(state: ParameterTensors, names: readonly string[], values: readonly tf.Tensor[]): ParameterTensors {
  return { ...state, ...Object.fromEntries(values.map((value, i) => [names[i] ?? "", value])) };
}

/** Gradients by parameter as a vector `[P]`, 0 where there is none. */
function inLayout({ trainable }: FlatLayout, found: ReadonlyMap<string, tf.Tensor | undefined>): tf.Tensor1D {
  return joinFlat(trainable.map(({ name, shape }) => found.get(name) ?? tf.fill([...shape], 0)));
}
