import { describe, expect, it } from "vitest";
import { captureGraph } from "../capture/capture.ts";
import { ModelProto } from "../gen/onnx/onnx.ts";
import { runEagerly } from "../run-eagerly.ts";
import { expectClose } from "../testing/expect-close.ts";
import { drawFeeds, f32, type OpCase, valueOptions } from "../testing/op-case.ts";
import { runGraph } from "../testing/run-graph.ts";
import { tf } from "../tf.ts";
import { regionAttention } from "./region-attention.ts";

/** Channels in whole blocks of any processor's vectors, so that the runtime arranges the convolution in blocks. */
const WIDTH = 32;
const N_TILES = 10;

/** Ten tiles in two regions of six places, two of which are empty. */
const places = () => ({
  index: tf.tensor1d([2, 0, 1, 4, 3, 0, 5, 6, 7, 8, 9, 0], "int32"),
  filled: tf.tensor2d([1, 1, 1, 1, 1, 0, 1, 1, 1, 1, 1, 0], [12, 1]),
  place: tf.tensor1d([1, 2, 0, 4, 3, 6, 7, 8, 9, 10], "int32"),
});

const matrix = f32([WIDTH, WIDTH], -0.3, 0.3);
const vector = f32([WIDTH]);

const inputs = {
  ...{ x: f32([N_TILES, WIDTH]), wq: matrix, bq: vector, wk: matrix, bk: vector, wv: matrix, bv: vector },
  taps: f32([2, 5]),
};

function attention(isMasked: boolean): OpCase {
  const layer = (tensors: Record<string, tf.Tensor>, name: string) =>
    ({ weight: tensors[`w${name}`], bias: tensors[`b${name}`] }) as { weight: tf.Tensor2D; bias: tf.Tensor1D };
  return {
    name: "regionAttention",
    inputs,
    f: (tensors) => {
      const layers = { query: layer(tensors, "q"), key: layer(tensors, "k"), value: layer(tensors, "v") };
      const options = { heads: 2, nPlaces: 6, nSteps: 2, isMasked, taps: tensors.taps as tf.Tensor2D };
      return regionAttention(tensors.x as tf.Tensor2D, layers, places(), options);
    },
  };
}

describe("regionAttention with taps that are known at the capture", () => {
  it.each([false, true])("gives the same as eager, empty places taking no part: %s", async (isMasked) => {
    const options = valueOptions(attention(isMasked));
    const feeds = drawFeeds(inputs);
    const { taps, ...others } = feeds;
    const ports = options.inputs.filter(({ name }) => name !== "taps");
    const graph = captureGraph({ ...options, inputs: ports, constants: { taps: taps! } });
    expect(heldBy(graph.model)).toContainEqual([WIDTH, 1, 1, 5]);
    const { y } = await runGraph(graph, others);
    expectClose(y!, runEagerly(options, feeds).y!, 2e-6);
  });
});

/** Shapes of the constants inside a graph's loops. */
function heldBy(model: Uint8Array): number[][] {
  const nodes = ModelProto.decode(model).graph?.node ?? [];
  const bodies = nodes.flatMap(({ attribute }) => (attribute ?? []).flatMap(({ g }) => g ?? []));
  return bodies.flatMap(({ initializer }) => (initializer ?? []).map(({ dims }) => (dims ?? []).map(Number)));
}
