import type { HostTensor, RunRequest, TensorSource } from "@parfocal/engine";
import { createRng } from "@parfocal/metrics";
import { buildPretrainModel, initialiseParameters, type PretrainModel } from "@parfocal/models";
import { captureGraph } from "@parfocal/tensor";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { flatLayout, flattenWeights } from "../flat-layout.ts";
import { floatsFromHostTensor, hostTensorFromFloats } from "../host-tensor.ts";
import { createOptimiser } from "../optimiser.ts";
import { parseOptimiser } from "../optimiser-config.ts";
import { openWorld, type World } from "../testing/world.ts";
import { contrastBuild, projectionBuild } from "./contrast-graphs.ts";
import { createViewDrawer } from "./draw-views.ts";
import { pretrainApplyBuild, pretrainGradientBuild } from "./pretrain-graphs.ts";
import { packViews, type ViewBatch } from "./view-batch.ts";

let world: World;

beforeAll(async () => {
  world = await openWorld();
});

afterAll(() => world.close());

const MIXER = { regionTiles: 2, levelCount: 2, width: 16, depth: 2, heads: 2, levelNorm: true };
const MASKED = { decoderWidth: 24, decoderHeads: 2 };
const CONTRASTIVE = { sourceTiles: 2, projectorWidth: 16, projectionWidth: 8 };
const D = 8;

function weightsOf(model: PretrainModel): Float32Array<ArrayBuffer> {
  return flattenWeights(flatLayout(model.parameters).trainable, initialiseParameters(model.parameters, createRng(3n)));
}

/** Views of `count` random sources, sources 2i and 2i + 1 of one slide. */
function batchOf(model: PretrainModel, first: number, count: number): ViewBatch {
  const draw = createViewDrawer({ config: model.config, minPresence: 0, augment: true });
  const views = Array.from({ length: count }, (_, i) => {
    const rng = createRng(9n).fork(`source ${first + i}`);
    const values = Float32Array.from({ length: model.nTokens * D }, () => rng.normal());
    const run = new Int16Array(model.nTokens);
    const offsetBytes = Uint32Array.from(run, (_value, token) => token * D * 4);
    const source = { d: D, dtype: "F32", runs: [new Uint8Array(values.buffer)], run, offsetBytes } as const;
    return draw(run, rng).map((view) => ({ ...view, source, slide: (first + i) >> 1 }));
  });
  return packViews(model, views.flat(), "f32");
}

async function run(request: Omit<RunRequest, "fetches">, ...names: string[]): Promise<Record<string, HostTensor>> {
  const known = new Set(request.graph.inputs.map(({ name }) => name));
  const feeds = Object.fromEntries(Object.entries(request.feeds).filter(([name]) => known.has(name)));
  const fetches = Object.fromEntries(names.map((name) => [name, { kind: "inline" }] as const));
  const [result] = await world.engine.run([{ ...request, feeds, fetches }]);
  return { ...result?.outputs };
}

function inline(tensor: HostTensor | undefined): TensorSource {
  if (tensor === undefined) throw new Error("no tensor");
  return { kind: "inline", tensor };
}

function vector(values: Float32Array): TensorSource {
  return inline(hostTensorFromFloats([values.length], values));
}

describe("gradients of a batch", () => {
  it.each([
    ["masked", undefined],
    ["contrastive", CONTRASTIVE],
    ["contrastive without the slide's own negatives", { ...CONTRASTIVE, dropSameSlideNegatives: true }],
  ])("are the mean of those of its parts: %s", async (_name, contrastive) => {
    const model = buildPretrainModel({ dIn: D, mixer: MIXER, masked: MASKED, ...(contrastive && { contrastive }) });
    const weights = { weights: vector(weightsOf(model)) };
    const perSource = contrastive ? 2 : 1;
    const ports = (nSources: number) =>
      ({ nViews: nSources * perSource, isRagged: false, featureType: "f32" }) as const;
    const whole = batchOf(model, 0, 4);
    const parts = [batchOf(model, 0, 2), batchOf(model, 2, 2)];
    const expected = await run(
      { graph: captureGraph(pretrainGradientBuild(model, ports(4), false)), feeds: { ...whole.feeds, ...weights } },
      "next.gradients",
    );
    const partial = captureGraph(
      pretrainGradientBuild(model, { ...ports(2), hasPulls: contrastive !== undefined }, false),
    );
    const pulls = contrastive ? await pullsOf(model, parts, weights) : [];
    const found: Float32Array[] = [];
    for (const [i, { feeds }] of parts.entries()) {
      const pulled = pulls[i] === undefined ? {} : { pulls: inline(pulls[i]) };
      const own = await run({ graph: partial, feeds: { ...feeds, ...weights, ...pulled } }, "next.gradients");
      found.push(floatsFromHostTensor(own["next.gradients"], "gradients"));
    }
    const gradients = floatsFromHostTensor(expected["next.gradients"], "gradients");
    const largest = Math.max(...gradients.map(Math.abs));
    expect(largest).toBeGreaterThan(0.01);
    for (const [i, gradient] of gradients.entries()) {
      const mean = ((found[0]?.[i] ?? 0) + (found[1]?.[i] ?? 0)) / 2;
      expect(Math.abs(mean - gradient)).toBeLessThan(1e-6 * largest + 1e-5 * Math.abs(gradient));
    }
  });
});

/** What pulls at the projections of each part. */
async function pullsOf(model: PretrainModel, parts: readonly ViewBatch[], weights: Record<string, TensorSource>) {
  const graph = captureGraph(projectionBuild(model, { nViews: 4, isRagged: false, featureType: "f32" }));
  const projected: number[] = [];
  for (const { feeds } of parts) {
    const { projections } = await run({ graph, feeds: { ...feeds, ...weights } }, "projections");
    projected.push(...floatsFromHostTensor(projections, "projections"));
  }
  const width = model.contrastive?.width ?? 0;
  const slides = Int32Array.from(parts.flatMap((part) => [...part.slides]));
  const feeds = {
    projections: inline(hostTensorFromFloats([8, width], Float32Array.from(projected))),
    slides: inline({ dtype: "i32", shape: [8], data: new Uint8Array(slides.buffer) }),
    scale: vector(Float32Array.of(2)),
  };
  const { pulls } = await run({ graph: captureGraph(contrastBuild(model, 8)), feeds }, "pulls");
  const values = floatsFromHostTensor(pulls, "pulls");
  return [values.subarray(0, 4 * width), values.subarray(4 * width)].map((part) =>
    hostTensorFromFloats([4, width], part),
  );
}

describe("the update", () => {
  it("shrinks matrices and nothing else when there is no gradient", async () => {
    const model = buildPretrainModel({ dIn: D, mixer: MIXER, masked: MASKED, contrastive: CONTRASTIVE });
    const optimiser = createOptimiser(parseOptimiser({ kind: "adamw", weightDecay: 0.5 }));
    const before = weightsOf(model).fill(1);
    const zeros = new Float32Array(before.length);
    const outputs = await run(
      {
        graph: captureGraph(pretrainApplyBuild(model, optimiser)),
        feeds: {
          ...{ weights: vector(before), gradients: vector(zeros), scale: vector(Float32Array.of(1)) },
          ...{ hyper: vector(optimiser.hyper(1, 0.1)), "slot.moment1": vector(zeros), "slot.moment2": vector(zeros) },
        },
      },
      "next.weights",
    );
    const after = floatsFromHostTensor(outputs["next.weights"], "weights");
    let offset = 0;
    for (const { name, shape } of flatLayout(model.parameters).trainable) {
      const size = shape.reduce((product, dim) => product * dim, 1);
      const isTable = /(?:positions|tokens|mask)$/u.test(name);
      const expected = shape.length > 1 && !isTable ? 0.95 : 1;
      const [least, most] = [
        Math.min(...after.subarray(offset, offset + size)),
        Math.max(...after.subarray(offset, offset + size)),
      ];
      expect([name, least.toFixed(6), most.toFixed(6)]).toEqual([name, expected.toFixed(6), expected.toFixed(6)]);
      offset += size;
    }
    expect(offset).toBe(after.length);
  });
});
