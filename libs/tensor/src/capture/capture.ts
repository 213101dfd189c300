import { createHash } from "node:crypto";
import { DomainError, isDomainError } from "@parfocal/errors";
import type { Tensor } from "@tensorflow/tfjs";
import type { CapturedGraph, Dim, GraphPort } from "../graph.ts";
import { registerKernels } from "../kernels/index.ts";
import { tf } from "../tf.ts";
import { CAPTURE_BACKEND, registerCaptureBackend, withBackend } from "./backend.ts";
import { createSentinels, formatDimension } from "./dimension.ts";
import { encodeProgram } from "./encode.ts";
import { withCaptureGradients } from "./gradients.ts";
import { typeOf } from "./program.ts";
import { proveProgram } from "./prove.ts";
import { createRecorder, infoOf, type Recorder, withRecorder } from "./recorder.ts";
import type { RecordedValue, Recording } from "./recording.ts";
import { simplifyProgram } from "./simplify.ts";

/** A dense tensor in this process: a weight that becomes part of the graph, or a feed of an eager run. */
export interface ConstantTensor {
  readonly dtype: "f32" | "i32" | "bool";
  readonly shape: readonly number[];
  /** Row-major; `bool` as one byte per element, 0 or 1. */
  readonly data: Float32Array | Int32Array | Uint8Array;
}

/** What to capture. */
export interface CaptureOptions {
  /** Name of the graph, for people. */
  readonly name: string;
  /** Graph inputs. A dimension given by name stays free: every run chooses it. */
  readonly inputs: readonly GraphPort[];
  /** Tensors that become initializers of the graph under their names. */
  readonly constants?: Readonly<Record<string, ConstantTensor>>;
  /**
   * Computes outputs from inputs and constants, given by name as tensors (`f16` ports as float32; `u8`, `u16`, `i64`
   * as int32). It is run twice, with different sizes in place of the symbols, so it must do the same thing each time.
   */
  build(tensors: Readonly<Record<string, Tensor>>): Readonly<Record<string, Tensor>>;
}

/** What each graph was captured from, as long as the graph itself is kept. */
const ORIGINS = new WeakMap<CapturedGraph, CaptureOptions>();

/** What a graph was captured from; `undefined` for one that came from a file or another process. */
export function originOf(graph: CapturedGraph): CaptureOptions | undefined {
  return ORIGINS.get(graph);
}

/**
 * Records what `build` does to its tensors as one ONNX graph: inference, or with `tf.valueAndGrads` inside a whole
 * training step. Synchronous, computes nothing, leaves no tensor behind and leaves tfjs on the backend it was on.
 *
 * The graph is proven to hold for every size of the symbolic dimensions: `build` is recorded twice with different numbers
 * in their place, and whatever differs between the recordings must follow from the symbols.
 *
 * @throws {DomainError} UNSUPPORTED_OPERATION naming the operation that has no ONNX form, or whose result depends on a
 * symbolic dimension in a way the graph cannot follow; INVALID_ARGUMENT when names clash or an output is missing.
 */
export function captureGraph(options: CaptureOptions): CapturedGraph {
  assertNames(options);
  registerCaptureBackend();
  registerKernels();
  const symbols = symbolsOf(options.inputs);
  const [first, second] = [record(options, symbols, 0), record(options, symbols, 1)];
  const sentinels = createSentinels([...symbols, ...first.derived.keys()]);
  const program = simplifyProgram(proveProgram(first, second, sentinels));
  const outputs = [...program.outputs].map(([name, id]): GraphPort => {
    const { dtype, shape } = typeOf(program.types, id);
    return { name, dtype, shape: shape.map(formatDimension) };
  });
  const model = encodeProgram(program, { name: options.name, inputs: options.inputs, outputs });
  const digest = createHash("sha256").update(model).digest("hex");
  const graph = { digest, model, inputs: options.inputs, outputs };
  ORIGINS.set(graph, options);
  return graph;
}

function assertNames({ inputs, constants = {} }: CaptureOptions): void {
  const names = [...inputs.map(({ name }) => name), ...Object.keys(constants)];
  const twice = names.find((name, i) => name === "" || names.indexOf(name) !== i);
  if (twice !== undefined)
    throw new DomainError("INVALID_ARGUMENT", `the name "${twice}" is empty or given to two inputs or constants`);
}

function symbolsOf(inputs: readonly GraphPort[]): string[] {
  const all = inputs.flatMap(({ shape }) => shape.filter((dim): dim is string => typeof dim === "string"));
  return [...new Set(all)];
}

function record(options: CaptureOptions, symbols: readonly string[], which: 0 | 1): Recording {
  const recorder = createRecorder({ nSymbols: symbols.length, which });
  const sizes = new Map(createSentinels(symbols).map(({ symbol, values }) => [symbol, values[which]]));
  const inputs = options.inputs.map((port) =>
    recorder.input({ dtype: port.dtype, shape: port.shape.map((dim) => sizeOfDim(dim, sizes)) }),
  );
  const outputs = withRecorder(recorder, () =>
    withBackend(CAPTURE_BACKEND, () => withCaptureGradients(() => runBuild(options, recorder, inputs))),
  );
  return { inputs, constants: recorder.constants, nodes: recorder.nodes, derived: recorder.derived, outputs };
}

function sizeOfDim(dim: Dim, sizes: ReadonlyMap<string, number>): number {
  const size = typeof dim === "number" ? dim : sizes.get(dim);
  if (size === undefined || !Number.isInteger(size) || size < 0) {
    throw new DomainError(
      "INVALID_ARGUMENT",
      `a dimension is ${dim}; it must be a whole number of at least 0 or a name`,
    );
  }
  return size;
}

function runBuild(
  options: CaptureOptions,
  recorder: Recorder,
  inputs: readonly RecordedValue[],
): Map<string, RecordedValue> {
  const outputs = new Map<string, RecordedValue>();
  try {
    tf.tidy(() => {
      const tensors = { ...inputTensors(options.inputs, inputs, recorder), ...constantTensors(options, recorder) };
      for (const [name, tensor] of Object.entries(options.build(tensors))) outputs.set(name, recorder.valueOf(tensor));
    });
  } catch (error) {
    throw captureError(error);
  } finally {
    disposeTape();
  }
  if (outputs.size === 0) throw new DomainError("INVALID_ARGUMENT", "the build function gave no output");
  const taken = [...options.inputs.map(({ name }) => name), ...Object.keys(options.constants ?? {})].find((name) =>
    outputs.has(name),
  );
  if (taken !== undefined)
    throw new DomainError("INVALID_ARGUMENT", `the output ${taken} has the name of an input or constant`);
  return outputs;
}

function inputTensors(
  ports: readonly GraphPort[],
  values: readonly RecordedValue[],
  recorder: Recorder,
): Record<string, Tensor> {
  return Object.fromEntries(values.map((value, i) => [ports[i]?.name ?? "", tensorOf(widen(value, recorder))]));
}

function widen(value: RecordedValue, recorder: Recorder): RecordedValue {
  if (value.dtype === "f32" || value.dtype === "i32" || value.dtype === "bool") return value;
  const dtype = value.dtype === "f16" ? "f32" : "i32";
  return recorder.as("widen", () => recorder.emit("Cast", [value], { dtype, shape: value.shape }));
}

function constantTensors({ constants = {} }: CaptureOptions, recorder: Recorder): Record<string, Tensor> {
  return Object.fromEntries(
    Object.entries(constants).map(([name, { data, dtype, shape }]) => {
      const size = shape.reduce((product, dim) => product * dim, 1);
      if (size !== data.length) {
        throw new DomainError(
          "SHAPE_MISMATCH",
          `constant ${name} has ${data.length} elements where its shape [${shape.join(", ")}] has ${size}`,
        );
      }
      return [name, tensorOf(recorder.constant(data, { dtype, shape }, name))];
    }),
  );
}

function tensorOf(value: RecordedValue): Tensor {
  return tf.engine().makeTensorFromTensorInfo(infoOf(value));
}

/** Tensors that a failed gradient saved on its tape are out of every scope; tfjs forgets them only after success. */
function disposeTape(): void {
  const { state } = tf.engine();
  for (const node of state.activeTape ?? []) {
    for (const tensor of node.saved ?? []) if (!tensor.isDisposed) tensor.dispose();
  }
  if (state.gradientDepth === 0) state.activeTape = [];
}

/** tfjs reports a missing kernel or gradient as a plain error with the name in its text. */
function captureError(error: unknown): unknown {
  if (!(error instanceof Error) || isDomainError(error)) return error;
  const kernel = /[Kk]ernel '(\w+)' (?:not registered )?for backend/.exec(error.message)?.[1];
  if (kernel !== undefined) return unsupported(kernel, `${kernel} has no ONNX form in this capture`, error);
  const gradient = /gradient function not found for (\w+)/.exec(error.message)?.[1];
  if (gradient !== undefined) return unsupported(gradient, `${gradient} has no gradient`, error);
  return error;
}

function unsupported(operation: string, message: string, cause: Error): DomainError {
  return new DomainError("UNSUPPORTED_OPERATION", message, { cause, details: { operation } });
}
