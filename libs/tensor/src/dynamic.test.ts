import { describe, expect, it } from "vitest";
import { type CaptureOptions, type ConstantTensor, captureGraph } from "./capture/capture.ts";
import type { Dim, GraphPort } from "./graph.ts";
import { type DynamicCase, dynamicCases } from "./testing/dynamic-cases.ts";
import { expectClose } from "./testing/expect-close.ts";
import { abmilFeeds, type GatedAbmilSizes, servingOptions, stepFeeds, trainingOptions } from "./testing/gated-abmil.ts";
import { createUniform, sizeOfShape } from "./testing/op-case.ts";
import { type Feed, openGraph, runGraph } from "./testing/run-graph.ts";

const TILE_COUNTS = [1, 2, 63, 64, 65, 1000, 4097];
/** Static and dynamic graphs run the same kernels; the runtime may order the sum over 4097 tiles differently. */
const TOLERANCE = 2e-6;

function fixTiles(shape: readonly Dim[], nTiles: number): number[] {
  return shape.map((dim) => (dim === "N" ? nTiles : Number(dim)));
}

function optionsOf({ name, inputs, f }: DynamicCase, nTiles: Dim): CaptureOptions {
  const ports = Object.entries(inputs).map(([port, { dtype, shape }]): GraphPort => {
    return { name: port, dtype, shape: shape.map((dim) => (dim === "N" ? nTiles : dim)) };
  });
  return { name, inputs: ports, build: (tensors) => ({ y: f(tensors) }) };
}

function feedsOf({ inputs }: DynamicCase, nTiles: number): Record<string, Feed> {
  const uniform = createUniform(nTiles);
  const feeds = Object.entries(inputs).map(([name, { dtype, shape }]): [string, Feed] => {
    const fixed = fixTiles(shape, nTiles);
    const length = sizeOfShape(fixed);
    if (dtype === "u16")
      return [name, { dtype, shape: fixed, data: Uint16Array.from({ length }, () => uniform() * 65_536) }];
    if (dtype === "i32")
      return [name, { dtype, shape: fixed, data: Int32Array.from({ length }, () => uniform() * nTiles) }];
    return [name, { dtype, shape: fixed, data: Float32Array.from({ length }, () => 2 * uniform() - 1) }];
  });
  return Object.fromEntries(feeds);
}

function expectSameOutputs(actual: Record<string, ConstantTensor>, expected: Record<string, ConstantTensor>): void {
  expect(Object.keys(actual)).toEqual(Object.keys(expected));
  for (const [name, tensor] of Object.entries(expected)) expectClose(actual[name] as ConstantTensor, tensor, TOLERANCE);
}

describe("one graph for every number of tiles gives what a graph of that number gives", () => {
  it.each(dynamicCases)("$name", async (dynamicCase) => {
    const run = await openGraph(captureGraph(optionsOf(dynamicCase, "N")));
    for (const nTiles of TILE_COUNTS) {
      // Attention of all with all at 4097 tiles is half a second of nothing new, unless it comes in blocks.
      if (nTiles > 1000 && /^(?!streamed).*attention/.test(dynamicCase.name)) continue;
      const feeds = feedsOf(dynamicCase, nTiles);
      expectSameOutputs(await run(feeds), await runGraph(captureGraph(optionsOf(dynamicCase, nTiles)), feeds));
    }
  });

  const small: GatedAbmilSizes = { nTiles: "N", nFeatures: 16, stemWidth: 8, attentionWidth: 4, nClasses: 3 };

  it("gated attention, serving", async () => {
    const run = await openGraph(captureGraph(servingOptions(small)));
    for (const nTiles of TILE_COUNTS) {
      const feeds = abmilFeeds(small, nTiles);
      expectSameOutputs(await run(feeds), await runGraph(captureGraph(servingOptions({ ...small, nTiles })), feeds));
    }
  });

  it("gated attention, a whole training step", async () => {
    const run = await openGraph(captureGraph(trainingOptions(small)));
    for (const nTiles of TILE_COUNTS) {
      const feeds = { ...abmilFeeds(small, nTiles), ...stepFeeds(small) };
      expectSameOutputs(await run(feeds), await runGraph(captureGraph(trainingOptions({ ...small, nTiles })), feeds));
    }
  });
});
