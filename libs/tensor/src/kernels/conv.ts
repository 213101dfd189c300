import { DomainError } from "@parfocal/errors";
import type { Recorder } from "../capture/recorder.ts";
import { type Attributes, dims, int, ints, type RecordedValue } from "../capture/recording.ts";
import { tf } from "../tf.ts";
import { type KernelCall, type KernelTable, reshape, transpose } from "./kernel.ts";
import { emitSlice } from "./shape.ts";

// Legend: tfjs images are [B, H, W, C] and filters [h, w, I, O]; ONNX images are [B, C, H, W] and filters [O, I, h, w].

type Shape4 = [number, number, number, number];
type ConvAttrs = tf.Conv2DAttrs | tf.DepthwiseConv2dNativeAttrs;

/** Strides, dilations and pads [top, left, bottom, right] as numbers. */
interface Geometry {
  readonly strides: [number, number];
  readonly dilations: [number, number];
  readonly pads: [number, number, number, number];
  readonly filterSize: [number, number];
  readonly outShape: Shape4;
}

function geometryOf(
  inShape: readonly number[],
  filterShape: readonly number[],
  attrs: ConvAttrs,
  isDepthwise: boolean,
): Geometry {
  if ((attrs.dataFormat ?? "NHWC") !== "NHWC") {
    throw new DomainError(
      "UNSUPPORTED_OPERATION",
      `a convolution in ${attrs.dataFormat} cannot be captured, only NHWC`,
    );
  }
  const { strides, dilations, pad, dimRoundingMode } = attrs;
  const dilation = dilations ?? 1;
  const info = tf.backend_util.computeConv2DInfo(
    inShape as Shape4,
    filterShape as Shape4,
    strides,
    dilation,
    pad,
    dimRoundingMode,
    isDepthwise,
  );
  const { top, left, bottom, right } = info.padInfo;
  return {
    strides: [info.strideHeight, info.strideWidth],
    dilations: [info.dilationHeight, info.dilationWidth],
    pads: [top, left, bottom, right],
    filterSize: [info.filterHeight, info.filterWidth],
    outShape: info.outShape as Shape4,
  };
}

const toChannelsFirst = (recorder: Recorder, x: RecordedValue): RecordedValue => transpose(recorder, x, [0, 3, 1, 2]);
const toChannelsLast = (recorder: Recorder, x: RecordedValue): RecordedValue => transpose(recorder, x, [0, 2, 3, 1]);

function convAttributes(
  strides: readonly number[],
  dilations: readonly number[],
  pads: readonly number[],
  group: number,
): Attributes {
  return { strides: ints(strides), dilations: ints(dilations), pads: ints(pads), group: int(group) };
}

/** A filter for ONNX: [O, I, h, w], or [C·multiplier, 1, h, w] for each channel by itself. */
function toOnnxFilter(recorder: Recorder, filter: RecordedValue, isDepthwise: boolean): RecordedValue {
  const [height, width, nIn, nOut] = filter.shape as Shape4;
  if (!isDepthwise) return transpose(recorder, filter, [3, 2, 0, 1]);
  return reshape(recorder, transpose(recorder, filter, [2, 3, 0, 1]), [nIn * nOut, 1, height, width]);
}

function convolve({ recorder, input, attrs }: KernelCall, isDepthwise: boolean): RecordedValue {
  const [x, filter] = [input("x"), input("filter")];
  const { strides, dilations, pads, outShape } = geometryOf(x.shape, filter.shape, attrs as ConvAttrs, isDepthwise);
  const [nBatch, height, width, nOut] = outShape;
  const group = isDepthwise ? filter.shape[2]! : 1;
  const operands = [toChannelsFirst(recorder, x), toOnnxFilter(recorder, filter, isDepthwise)];
  const type = { dtype: "f32" as const, shape: [nBatch, nOut, height, width] };
  const result = recorder.emit("Conv", operands, type, { attributes: convAttributes(strides, dilations, pads, group) });
  return toChannelsLast(recorder, result);
}

/** Both spatial axes [2, 3] of a filter backwards. */
function flip(recorder: Recorder, filter: RecordedValue): RecordedValue {
  const start = dims([-1, -1]);
  return recorder.emit("Slice", [filter, start, dims([-(2 ** 31 - 1), -(2 ** 31 - 1)]), dims([2, 3]), start], filter);
}

/** The gradient of a convolution with respect to its image. */
function backpropInput({ recorder, input, attrs }: KernelCall, isDepthwise: boolean): RecordedValue {
  const [dy, filter] = [input("dy"), input("filter")];
  const { inputShape } = attrs as tf.Conv2DBackpropInputAttrs;
  const geometry = geometryOf(inputShape, filter.shape, attrs as ConvAttrs, isDepthwise);
  const [nBatch, height, width, nIn] = inputShape;
  const group = isDepthwise ? nIn : 1;
  const type = { dtype: "f32" as const, shape: [nBatch, nIn, height, width] };
  const image = toChannelsFirst(recorder, dy);
  const onnxFilter = toOnnxFilter(recorder, filter, isDepthwise);
  const isPlain = geometry.strides.every((stride) => stride === 1) && (!isDepthwise || filter.shape[3] === 1);
  const result = isPlain
    ? flippedConvolution(recorder, image, onnxFilter, geometry, group, type)
    : transposedConvolution(recorder, image, onnxFilter, geometry, group, type);
  return toChannelsLast(recorder, result);
}

type ImageType = { readonly dtype: "f32"; readonly shape: readonly number[] };

/** At stride 1 the gradient is a convolution with the filter backwards, which runtimes do faster than a transposed one. */
function flippedConvolution(
  recorder: Recorder,
  dy: RecordedValue,
  filter: RecordedValue,
  geometry: Geometry,
  group: number,
  type: ImageType,
): RecordedValue {
  const reach = geometry.filterSize.map((size, i) => (size - 1) * geometry.dilations[i]!);
  const pads = geometry.pads.map((padding, i) => reach[i % 2]! - padding);
  const backwards = flip(recorder, group === 1 ? transpose(recorder, filter, [1, 0, 2, 3]) : filter);
  return recorder.emit("Conv", [dy, backwards], type, {
    attributes: convAttributes([1, 1], geometry.dilations, pads, group),
  });
}

function transposedConvolution(
  recorder: Recorder,
  dy: RecordedValue,
  filter: RecordedValue,
  geometry: Geometry,
  group: number,
  type: ImageType,
): RecordedValue {
  const { strides, dilations, pads, filterSize } = geometry;
  const missing = [0, 1].map((i) => {
    const covered =
      (dy.shape[2 + i]! - 1) * strides[i]! + (filterSize[i]! - 1) * dilations[i]! + 1 - pads[i]! - pads[i + 2]!;
    return type.shape[2 + i]! - covered;
  });
  const attributes = { ...convAttributes(strides, dilations, pads, group), output_padding: ints(missing) };
  return recorder.emit("ConvTranspose", [dy, filter], type, { attributes });
}

/**
 * The gradient of a convolution with respect to its filter: a convolution of the image with dy as its filter, batch and
 * channels exchanged; what were strides are dilations and the other way round.
 */
function backpropFilter({ recorder, input, attrs }: KernelCall, isDepthwise: boolean): RecordedValue {
  const [x, dy] = [input("x"), input("dy")];
  const { filterShape } = attrs as tf.Conv2DBackpropFilterAttrs;
  const { strides, dilations, pads } = geometryOf(x.shape, filterShape, attrs as ConvAttrs, isDepthwise);
  const [height, width, nIn, nOut] = filterShape;
  const [nBatch, inHeight, inWidth] = x.shape as Shape4;
  const byChannel = transpose(recorder, x, [3, 0, 1, 2]); // [I, B, H, W]
  const image = isDepthwise ? reshape(recorder, byChannel, [1, nIn * nBatch, inHeight, inWidth]) : byChannel;
  const covered = [0, 1].map((i) => sizeCovered(x, dy, i, { strides, dilations, pads }));
  const shape = [isDepthwise ? 1 : nIn, isDepthwise ? nIn * nOut : nOut, ...covered];
  const attributes = convAttributes(dilations, strides, pads, isDepthwise ? nIn : 1);
  const full = recorder.emit(
    "Conv",
    [image, transpose(recorder, dy, [3, 0, 1, 2])],
    { dtype: "f32", shape },
    { attributes },
  );
  const cut = emitSlice(recorder, full, [0, 0, 0, 0], [...shape.slice(0, 2), height, width]); // [I, O, h, w]
  return transpose(recorder, reshape(recorder, cut, [nIn, nOut, height, width]), [2, 3, 0, 1]); // [h, w, I, O]
}

/** Output size of the filter gradient's convolution: the filter, plus rows that a stride left uncovered. */
function sizeCovered(
  x: RecordedValue,
  dy: RecordedValue,
  axis: number,
  { strides, dilations, pads }: Pick<Geometry, "strides" | "dilations" | "pads">,
): number {
  const padded = x.shape[1 + axis]! + pads[axis]! + pads[axis + 2]!;
  const reach = (dy.shape[1 + axis]! - 1) * strides[axis]! + 1;
  return Math.floor((padded - reach) / dilations[axis]!) + 1;
}

/** Convolutions over images and their gradients. */
export const convKernels: KernelTable = {
  Conv2D: (call) => convolve(call, false),
  DepthwiseConv2dNative: (call) => convolve(call, true),
  Conv2DBackpropInput: (call) => backpropInput(call, false),
  DepthwiseConv2dNativeBackpropInput: (call) => backpropInput(call, true),
  Conv2DBackpropFilter: (call) => backpropFilter(call, false),
  DepthwiseConv2dNativeBackpropFilter: (call) => backpropFilter(call, true),
};
