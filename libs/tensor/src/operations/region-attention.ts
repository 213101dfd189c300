import { DomainError } from "@parfocal/errors";
import type { Tensor, Tensor1D, Tensor2D } from "@tensorflow/tfjs";
import type { BodyTensor } from "../capture/body.ts";
import { activeRecorder, type Recorder } from "../capture/recorder.ts";
import { body, dims, int, type RecordedValue } from "../capture/recording.ts";
import { reshape } from "../kernels/kernel.ts";
import { tf } from "../tf.ts";
import { convolveTokens, kernelByChannel, tapsFromProducts } from "./convolve-tokens.ts";
import { defineOperation, emitted } from "./define-operation.ts";
import { sizeVector } from "./integer-math.ts";
import { linear } from "./linear.ts";
import { mergeHeads, scaleOf, splitHeads } from "./multi-head-attention.ts";
import { type RegionBodyOptions, regionAttentionBody, regionAttentionGradientBody } from "./region-attention-body.ts";

// Legend: N tiles, I their width, G regions, P places of a region, Q = G·P, H heads, W = H·d, k taps.

/** A layer `x wᵀ + b`: `weight` [W, I], `bias` [W]. */
export interface AttentionLayer {
  readonly weight: Tensor2D;
  readonly bias: Tensor1D;
}

/** Where tiles lie in regions. */
export interface RegionPlaces {
  /** `[Q]` i32: the tile at each place, any tile where it is empty. */
  readonly index: Tensor;
  /** `[Q, 1]` f32: 1 where a tile lies, 0 at empty places. */
  readonly filled: Tensor;
  /** `[N]` i32: the place of each tile. */
  readonly place: Tensor;
}

/** Options of {@link regionAttention}. */
export interface RegionAttentionOptions {
  /** H; divides W. */
  readonly heads: number;
  /** P. */
  readonly nPlaces: number;
  /** How many steps the regions are computed in; divides G. What is held at a time is that of one step. */
  readonly nSteps: number;
  /** Whether empty places take no part. If not, they attend and are attended to as tiles of zeros. */
  readonly isMasked: boolean;
}

/** x, wq, bq, wk, bk, wv, bv, index, filled, place, and the taps if there are any. */
type Inputs = readonly Tensor[];

type Options = RegionAttentionOptions & {
  /** Whether a gradient will be asked for, so that the value keeps what it reads. */
  readonly isKept: boolean;
};

const attention = defineOperation<Inputs, Options>({
  name: "regionAttention",
  emit(recorder, inputs, options) {
    const [attended] = scanValue(recorder, inputs, options);
    const place = at(inputs, PLACE);
    const shape = [place.shape[0] ?? 0, attended.shape[1] ?? 0];
    return recorder.emit("Gather", [attended, place], { dtype: "f32", shape }, { attributes: { axis: int(0) } });
  },
  eager: composed,
  gradient(dy, { inputs, output }, options) {
    const recorder = activeRecorder();
    if (recorder === undefined)
      throw new DomainError("INTERNAL", "regionAttention differentiates eagerly by its parts");
    const [nTiles = 0, width = 0] = dy.shape;
    const byHead = tf.reshape(tf.mul(dy, output), [nTiles, options.heads, width / options.heads]);
    const drift = tf.sum(byHead, 2); // [N, H]
    const upstream = { dy: recorder.valueOf(dy), drift: recorder.valueOf(drift) };
    const values = inputs.map((input) => recorder.valueOf(input));
    const outputs = scanGradient(recorder, values, upstream, options).map(emitted);
    const du = outputs.at(-1) as Tensor2D; // [Q, I]
    const place = at(inputs, PLACE) as Tensor1D;
    const constants = [at(inputs, INDEX), at(inputs, FILLED), place].map((x) => tf.zerosLike(x));
    const taps = inputs[TAPS];
    const dTaps = taps === undefined ? [] : [tapsFromProducts(at(outputs, N_LAYER_PARTS), taps.shape[1] ?? 1)];
    return [tf.gather(du, place), ...outputs.slice(0, N_LAYER_PARTS), ...constants, ...dTaps];
  },
});

/** Weight and bias of three layers. */
const N_LAYER_PARTS = 6;
const [INDEX, FILLED, PLACE, TAPS] = [7, 8, 9, 10] as const;

function at<T>(values: readonly T[], position: number): T {
  const value = values[position];
  if (value === undefined) throw new DomainError("INTERNAL", `regionAttention lacks its operand ${position}`);
  return value;
}

function bodyOptions(
  recorder: Recorder,
  inputs: readonly RecordedValue[],
  { heads, isMasked, isKept }: Options,
): RegionBodyOptions {
  const taps = inputs[TAPS];
  const [width = 0, nTaps = 1] = [at(inputs, 1).shape[0], taps?.shape[1]];
  const known = taps && recorder.constantOf(taps);
  const held = known && { taps: heldKernel(Float32Array.from(known, Number), { width, heads, nTaps }) };
  return { heads, width, nTaps, hasKernel: taps !== undefined, isMasked, isKept, ...held };
}

/** {@link emitKernel} for each channel, of taps whose values are known. */
function heldKernel(
  taps: Float32Array,
  { width, heads, nTaps }: Pick<RegionBodyOptions, "width" | "heads" | "nTaps">,
): BodyTensor {
  const middle = middleOne(nTaps);
  const data = Float32Array.from({ length: width * nTaps }, (_, i) => {
    const [channel, tap] = [Math.floor(i / nTaps), i % nTaps];
    const head = Math.floor(channel / (width / heads));
    return (taps[head * nTaps + tap] ?? Number.NaN) + (middle[tap] ?? Number.NaN);
  });
  return { shape: [width, 1, 1, nTaps], data };
}

/** The kernel [H, k] by which queries gain what taps [H, k] make of them: a one more in the middle. */
function emitKernel(recorder: Recorder, taps: RecordedValue): RecordedValue {
  const nTaps = taps.shape[1] ?? 1;
  const one = recorder.constant(middleOne(nTaps), { dtype: "f32", shape: [1, nTaps] });
  return recorder.emit("Add", [taps, one], taps);
}

/** `[k]`, k odd. */
function middleOne(nTaps: number): Float32Array<ArrayBuffer> {
  return Float32Array.from({ length: nTaps }, (_, tap) => Number(2 * tap === nTaps - 1));
}

/** `index` and `filled` by steps. */
function stepsOf(recorder: Recorder, inputs: readonly RecordedValue[], nSteps: number): RecordedValue[] {
  const nRows = (at(inputs, INDEX).shape[0] ?? 0) / nSteps;
  return [
    reshape(recorder, at(inputs, INDEX), [nSteps, nRows]),
    reshape(recorder, at(inputs, FILLED), [nSteps, nRows, 1]),
  ];
}

/** The attended rows [Q, W] and, if they are to be kept, queries [steps, W, R], keys and values [steps, R, W]. */
function scanValue(
  recorder: Recorder,
  inputs: readonly RecordedValue[],
  options: Options,
): readonly [RecordedValue, ...RecordedValue[]] {
  const shape = bodyOptions(recorder, inputs, options);
  const steps = stepsOf(recorder, inputs, options.nSteps);
  const { width } = shape;
  const nRows = at(steps, 0).shape[1] ?? 0;
  const rows = { dtype: "f32" as const, shape: [options.nSteps, nRows, width] };
  const regions = { dtype: "f32" as const, shape: [options.nSteps, nRows / options.nPlaces, options.nPlaces, width] };
  const queries = { dtype: "f32" as const, shape: [options.nSteps, width, nRows] };
  const layers = [at(inputs, 1), reshape(recorder, at(inputs, 2), [width, 1]), ...inputs.slice(3, 7)];
  const captured = [
    at(inputs, 0),
    ...layers,
    sizeVector(recorder, options.nPlaces),
    ...(shape.taps === undefined ? kernelOf(recorder, inputs, shape) : []),
  ];
  const types = options.isKept ? [regions, queries, rows, rows] : [regions];
  const [attended, ...kept] = recorder.emitMany("Scan", [...steps, ...captured], types, {
    attributes: { body: body(regionAttentionBody(shape)), num_scan_inputs: int(steps.length) },
  });
  if (attended === undefined) throw new DomainError("INTERNAL", "regionAttention gave no output");
  return [reshape(recorder, attended, [options.nSteps * nRows, width]), ...kept];
}

/** Gradients by the layers, the products of the kernel if there is one, and the gradient by the rows at their places [Q, I]. */
function scanGradient(
  recorder: Recorder,
  inputs: readonly RecordedValue[],
  { dy, drift }: { readonly dy: RecordedValue; readonly drift: RecordedValue },
  options: Options,
): RecordedValue[] {
  const { heads, nPlaces, nSteps } = options;
  const shape = bodyOptions(recorder, inputs, options);
  // The same node as the value's, with which it merges.
  const [, ...kept] = scanValue(recorder, inputs, options);
  const scanned = [...stepsOf(recorder, inputs, nSteps), ...kept];
  const layers = inputs.slice(1, 1 + N_LAYER_PARTS).map((layer) => [...layer.shape]);
  const states = shape.hasKernel ? [...layers, [heads, nPlaces, nPlaces]] : layers;
  const zeros = states.map((of) => zeroState(recorder, of));
  const taps = kernelOf(recorder, inputs, shape);
  const reversed = kernelOf(recorder, inputs, shape, (kernel) => reverseTaps(recorder, kernel));
  const weights = [at(inputs, 1), at(inputs, 3), at(inputs, 5)];
  const captured = [at(inputs, 0), dy, drift, ...weights, sizeVector(recorder, nPlaces), ...taps, ...reversed];
  const nRows = at(scanned, 0).shape[1] ?? 0;
  const nIn = at(inputs, 0).shape[1] ?? 0;
  const types = [...states, [nSteps, nRows, nIn]].map((of) => ({ dtype: "f32" as const, shape: of }));
  const outputs = recorder.emitMany("Scan", [...zeros, ...scanned, ...captured], types, {
    attributes: { body: body(regionAttentionGradientBody(shape)), num_scan_inputs: int(scanned.length) },
  });
  return [...outputs.slice(0, -1), reshape(recorder, at(outputs, states.length), [nSteps * nRows, nIn])];
}

/** The kernel, maybe changed, for each channel; none without taps. */
function kernelOf(
  recorder: Recorder,
  inputs: readonly RecordedValue[],
  { width, heads }: RegionBodyOptions,
  change: (kernel: RecordedValue) => RecordedValue = (kernel) => kernel,
): RecordedValue[] {
  const taps = inputs[TAPS];
  return taps === undefined ? [] : [kernelByChannel(recorder, change(emitKernel(recorder, taps)), width / heads)];
}

function zeroState(recorder: Recorder, shape: readonly number[]): RecordedValue {
  return recorder.emit("Expand", [recorder.scalar(0), dims(shape)], { dtype: "f32", shape });
}

/** The kernel [H, k] with its taps the other way round. */
function reverseTaps(recorder: Recorder, kernel: RecordedValue): RecordedValue {
  const last = recorder.constant(BigInt64Array.of(-1n), { dtype: "i64", shape: [1] });
  const end = recorder.constant(BigInt64Array.of(-(2n ** 31n)), { dtype: "i64", shape: [1] });
  const axis = recorder.constant(BigInt64Array.of(1n), { dtype: "i64", shape: [1] });
  return recorder.emit("Slice", [kernel, last, end, axis, last], kernel);
}

/** The same in plain operations, which is what runs eagerly; differentiable as it is. */
function composed(inputs: Inputs, { heads, nPlaces, isMasked }: RegionAttentionOptions): Tensor {
  const [x, wq, bq, wk, bk, wv, bv, index, filled, place, taps] = inputs as readonly Tensor2D[];
  if (!x || !wq || !wk || !wv || !index || !filled || !place) throw new DomainError("INTERNAL", "operands are missing");
  const width = wq.shape[0];
  const rows = tf.mul(tf.gather(x, index as unknown as Tensor1D), filled); // [Q, I]
  const inRegions = (tensor: Tensor) => tf.reshape(tensor, [-1, nPlaces, width]);
  const plain = inRegions(isMasked ? tf.mul(linear(rows, wq, bq), filled) : linear(rows, wq, bq));
  const query = splitHeads(taps === undefined ? plain : tf.add(plain, convolveTokens(plain, taps)), heads); // [G, H, P, d]
  const [key, value] = [
    splitHeads(inRegions(linear(rows, wk, bk)), heads),
    splitHeads(inRegions(linear(rows, wv, bv)), heads),
  ];
  const scores = tf.mul(tf.matMul(query, key, false, true), scaleOf(plain, heads)); // [G, H, P, P]
  const offset = tf.mul(tf.sub(tf.reshape(filled, [-1, 1, 1, nPlaces]), 1), EAGER_NEVER);
  const weights = tf.softmax(isMasked ? tf.add(scores, offset) : scores);
  const attended = tf.reshape(mergeHeads(tf.matMul(weights, value)), [-1, width]); // [Q, W]
  return tf.gather(attended, place as unknown as Tensor1D);
}

const EAGER_NEVER = 1e6;

/**
 * Attention of tiles in H heads, each tile to those of its own region: `x` [N, I] through the layers of queries, keys and values
 * to [N, W], scores scaled by 1/√d. With `taps` [H, k] (k odd), queries q become q + taps * q, convolved
 * along the places of their region. Regions are computed in steps, both ways: without a gradient, memory beside `x` and the result is that of one step; with
 * one, queries, keys and values are kept, and weights computed again.
 *
 * @throws {DomainError} SHAPE_MISMATCH when the steps do not divide the regions or the heads the width.
 */
export function regionAttention(
  x: Tensor2D,
  layers: { readonly query: AttentionLayer; readonly key: AttentionLayer; readonly value: AttentionLayer },
  places: RegionPlaces,
  options: RegionAttentionOptions & { readonly taps?: Tensor2D | undefined },
): Tensor2D {
  const { taps, ...sizes } = options;
  const { query, key, value } = layers;
  const [nPlacesInAll = 0] = places.index.shape;
  const width = query.weight.shape[0];
  if (nPlacesInAll % (options.nPlaces * options.nSteps) !== 0 || width % options.heads !== 0) {
    const text = `${nPlacesInAll} places in regions of ${options.nPlaces}, ${options.nSteps} steps, ${options.heads} heads of ${width}`;
    throw new DomainError("SHAPE_MISMATCH", `regionAttention: ${text}; steps divide the regions and heads the width`);
  }
  const operands = [query, key, value].flatMap(({ weight, bias }) => [weight, bias] as Tensor[]);
  const inputs = [x, ...operands, places.index, places.filled, places.place, ...(taps === undefined ? [] : [taps])];
  return (
    activeRecorder() === undefined
      ? composed(inputs, sizes)
      : attention(inputs, { ...sizes, isKept: tf.engine().isTapeOn() })
  ) as Tensor2D;
}
