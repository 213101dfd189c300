import type { Tensor } from "@tensorflow/tfjs";
import type { CaptureOptions, ConstantTensor } from "../capture/capture.ts";
import type { GraphPort } from "../graph.ts";
import { tf } from "../tf.ts";

/** An input of a case: port type, shape and how its elements are drawn. */
export interface InputSpec {
  readonly dtype: "f32" | "i32" | "bool";
  readonly shape: readonly number[];
  /** Element from a uniform number in [0, 1). */
  readonly draw: (uniform: number) => number;
}

/** One row of the table: a function of tensors, proven by value and, where it has floats to differentiate, by gradient. */
export interface OpCase {
  readonly name: string;
  readonly inputs: Readonly<Record<string, InputSpec>>;
  readonly f: (tensors: Record<string, Tensor>) => Tensor;
  /** Inputs to differentiate by; all f32 inputs unless given, none when the result is not differentiable. */
  readonly by?: readonly string[];
  /** False where tfjs's own gradient is missing or wrong; finite differences then stand alone. */
  readonly hasEagerGradient?: boolean;
}

/** f32 elements uniform on [low, high). */
export function f32(shape: readonly number[], low = -1, high = 1): InputSpec {
  return { dtype: "f32", shape, draw: (uniform) => low + uniform * (high - low) };
}

/** i32 elements uniform on the whole numbers of [low, high). */
export function i32(shape: readonly number[], low: number, high: number): InputSpec {
  return { dtype: "i32", shape, draw: (uniform) => Math.floor(low + uniform * (high - low)) };
}

/** Booleans, half of them true. */
export function bool(shape: readonly number[]): InputSpec {
  return { dtype: "bool", shape, draw: (uniform) => (uniform < 0.5 ? 0 : 1) };
}

/** A seeded sequence of uniform numbers in [0, 1): a 32-bit mixing generator (mulberry). */
export function createUniform(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** Feeds for a case, the same every time. */
export function drawFeeds(inputs: Readonly<Record<string, InputSpec>>, seed = 1): Record<string, ConstantTensor> {
  const uniform = createUniform(seed);
  return Object.fromEntries(Object.entries(inputs).map(([name, spec]) => [name, drawTensor(spec, uniform)]));
}

function drawTensor({ dtype, shape, draw }: InputSpec, uniform: () => number): ConstantTensor {
  const elements = Array.from({ length: sizeOfShape(shape) }, () => draw(uniform()));
  const data =
    dtype === "f32"
      ? Float32Array.from(elements)
      : dtype === "i32"
        ? Int32Array.from(elements)
        : Uint8Array.from(elements);
  return { dtype, shape, data };
}

/** Number of elements. */
export function sizeOfShape(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

function portsOf(inputs: Readonly<Record<string, InputSpec>>): GraphPort[] {
  return Object.entries(inputs).map(([name, { dtype, shape }]) => ({ name, dtype, shape }));
}

/** Inputs that a case is differentiated by. */
export function differentiatedBy({ inputs, by }: OpCase): readonly string[] {
  return by ?? Object.keys(inputs).filter((name) => inputs[name]?.dtype === "f32");
}

/** The case as a graph that gives its result. */
export function valueOptions({ name, inputs, f }: OpCase): CaptureOptions {
  return { name, inputs: portsOf(inputs), build: (tensors) => ({ y: f(tensors) }) };
}

/** The case as a graph that gives Σ probe·f, with a fixed probe, and its gradients. */
export function gradientOptions(opCase: OpCase): CaptureOptions {
  const by = differentiatedBy(opCase);
  const build: CaptureOptions["build"] = (tensors) => {
    const { value, grads } = tf.valueAndGrads((...xs: Tensor[]) => probed(opCase, tensors, xs))(
      by.map((name) => tensors[name] as Tensor),
    );
    return { loss: value, ...Object.fromEntries(by.map((name, i) => [`d.${name}`, grads[i] as Tensor])) };
  };
  return { name: opCase.name, inputs: portsOf(opCase.inputs), build };
}

/** The case as a graph that gives Σ probe·f alone, for finite differences. */
export function lossOptions(opCase: OpCase): CaptureOptions {
  const by = differentiatedBy(opCase);
  const build: CaptureOptions["build"] = (tensors) => ({
    loss: probed(
      opCase,
      tensors,
      by.map((name) => tensors[name] as Tensor),
    ),
  });
  return { name: opCase.name, inputs: portsOf(opCase.inputs), build };
}

function probed(opCase: OpCase, tensors: Readonly<Record<string, Tensor>>, xs: readonly Tensor[]): tf.Scalar {
  const replaced = Object.fromEntries(differentiatedBy(opCase).map((name, i) => [name, xs[i] as Tensor]));
  const y = opCase.f({ ...tensors, ...replaced });
  const uniform = createUniform(7);
  const probe = tf.tensor(
    Array.from({ length: y.size }, () => uniform() - 0.5),
    y.shape,
    "float32",
  );
  return tf.sum(tf.mul(y, probe));
}
