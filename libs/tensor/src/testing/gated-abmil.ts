import type { Tensor } from "@tensorflow/tfjs";
import type { CaptureOptions, ConstantTensor } from "../capture/capture.ts";
import type { Dim, GraphPort } from "../graph.ts";
import { linear } from "../operations/linear.ts";
import { softmaxCrossEntropy } from "../operations/losses.ts";
import { softmaxOverTiles } from "../operations/pooling.ts";
import { tf } from "../tf.ts";
import { createUniform, sizeOfShape } from "./op-case.ts";

// Legend: N tiles, D features, S stem width, A attention width, K classes.

/** Sizes of a gated attention model. */
export interface GatedAbmilSizes {
  readonly nTiles: Dim;
  readonly nFeatures: number;
  readonly stemWidth: number;
  readonly attentionWidth: number;
  readonly nClasses: number;
}

/** Parameters by name with their shapes. */
function parameterShapes({
  nFeatures: d,
  stemWidth: s,
  attentionWidth: a,
  nClasses: k,
}: GatedAbmilSizes): Record<string, number[]> {
  return { w1: [s, d], b1: [s], v: [a, s], bv: [a], u: [a, s], bu: [a], w: [1, a], b: [1], c: [k, s], bc: [k] };
}

type Tensors = Readonly<Record<string, Tensor>>;

function forward(x: Tensor, p: Tensors): { logits: Tensor; attention: Tensor } {
  const hidden = tf.relu(linear(x, p.w1!, p.b1!)); // [N, S]
  const gate = tf.mul(tf.tanh(linear(hidden, p.v!, p.bv!)), tf.sigmoid(linear(hidden, p.u!, p.bu!))); // [N, A]
  const attention = softmaxOverTiles(linear(gate, p.w!, p.b!)); // [N, 1]
  const pooled = tf.matMul(attention, hidden, true); // [1, S]
  return { logits: linear(pooled, p.c!, p.bc!), attention };
}

/** The model as a serving graph: logits and attention weights. */
export function servingOptions(sizes: GatedAbmilSizes): CaptureOptions {
  const parameters = parameterPorts(sizes, "");
  const x: GraphPort = { name: "x", dtype: "f32", shape: [sizes.nTiles, sizes.nFeatures] };
  return { name: "gated-abmil", inputs: [x, ...parameters], build: (tensors) => forward(tensors.x!, tensors) };
}

function parameterPorts(sizes: GatedAbmilSizes, prefix: string): GraphPort[] {
  return Object.entries(parameterShapes(sizes)).map(([name, shape]) => ({ name: prefix + name, dtype: "f32", shape }));
}

/** One step of Adam: loss, new parameters and new moments (`m.`, `v.`). */
export function trainingOptions(sizes: GatedAbmilSizes): CaptureOptions {
  const names = Object.keys(parameterShapes(sizes));
  const inputs: GraphPort[] = [
    { name: "x", dtype: "f32", shape: [sizes.nTiles, sizes.nFeatures] },
    { name: "y", dtype: "f32", shape: [1, sizes.nClasses] },
    { name: "rate", dtype: "f32", shape: [] },
    ...["", "m.", "v."].flatMap((prefix) => parameterPorts(sizes, prefix)),
  ];
  const build: CaptureOptions["build"] = (tensors) => {
    const lossOf = (...values: Tensor[]): tf.Scalar => {
      const parameters = Object.fromEntries(names.map((name, i) => [name, values[i] as Tensor]));
      return tf.sum(softmaxCrossEntropy(forward(tensors.x!, parameters).logits, tensors.y!));
    };
    const { value, grads } = tf.valueAndGrads(lossOf)(names.map((name) => tensors[name] as Tensor));
    return Object.assign(
      { loss: value },
      ...names.map((name, i) => adam(name, tensors, grads[i] as Tensor)),
    ) as Tensors;
  };
  return { name: "gated-abmil-step", inputs, build };
}

function adam(name: string, tensors: Tensors, gradient: Tensor): Record<string, Tensor> {
  const first = tf.add(tf.mul(tensors[`m.${name}`]!, 0.9), tf.mul(gradient, 0.1));
  const second = tf.add(tf.mul(tensors[`v.${name}`]!, 0.999), tf.mul(tf.square(gradient), 0.001));
  const step = tf.div(first, tf.add(tf.sqrt(second), 1e-8));
  return {
    [`new.${name}`]: tf.sub(tensors[name]!, tf.mul(step, tensors.rate!)),
    [`new.m.${name}`]: first,
    [`new.v.${name}`]: second,
  };
}

/** Feeds for either graph with N tiles, the same every time. */
export function abmilFeeds(sizes: GatedAbmilSizes, nTiles: number): Record<string, ConstantTensor> {
  const uniform = createUniform(11);
  const draw = (shape: readonly number[], scale: number): ConstantTensor => {
    const data = Float32Array.from({ length: sizeOfShape(shape) }, () => (2 * uniform() - 1) * scale);
    return { dtype: "f32", shape, data };
  };
  const parameters = Object.entries(parameterShapes(sizes)).map(([name, shape]) => [
    name,
    draw(shape, 1 / Math.sqrt(shape.at(-1)!)),
  ]);
  return {
    x: draw([nTiles, sizes.nFeatures], 1),
    ...(Object.fromEntries(parameters) as Record<string, ConstantTensor>),
  };
}

/** Feeds that the training graph has besides those of the serving graph: target, learning rate, moments at zero. */
export function stepFeeds(sizes: GatedAbmilSizes): Record<string, ConstantTensor> {
  const target = Float32Array.from({ length: sizes.nClasses }, (_, i) => (i === 1 ? 1 : 0));
  const moments = Object.entries(parameterShapes(sizes)).flatMap(([name, shape]) =>
    ["m.", "v."].map((prefix) => [prefix + name, { dtype: "f32", shape, data: new Float32Array(sizeOfShape(shape)) }]),
  );
  return {
    y: { dtype: "f32", shape: [1, sizes.nClasses], data: target },
    rate: { dtype: "f32", shape: [], data: Float32Array.of(1e-3) },
    ...(Object.fromEntries(moments) as Record<string, ConstantTensor>),
  };
}
