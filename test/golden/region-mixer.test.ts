/**
 * The region mixer as graphs: what is captured equals what runs eagerly, one graph serves bags of any size, and missing tiles take no
 * part. Legend: N tiles, R regions, D features.
 */
import {
  bagPorts,
  buildModel,
  buildPretrainModel,
  captureReembed,
  type Model,
  modelInputFromPorts,
  pretrainInputFromPorts,
  pretrainPorts,
  sizeOfShape,
  type Weights,
} from "@parfocal/models";
import { type CaptureOptions, type ConstantTensor, captureGraph, runEagerly, tf } from "@parfocal/tensor";
import { describe, expect, it } from "vitest";
import { filler } from "../../libs/models/src/testing/filler.ts";
import { pretrainNumbers } from "../../libs/models/src/testing/pretrain-case.ts";
import { type Feed, openGraph, runGraph } from "../../libs/tensor/src/testing/run-graph.ts";

const D = 6;
const SIZES = { width: 8, depth: 2, heads: 2, classTokens: 2, regionTiles: 1, levelCount: 3 };

type Tensors = Record<string, ConstantTensor>;

const f32 = (shape: readonly number[], data: ArrayLike<number>): ConstantTensor => {
  return { dtype: "f32", shape, data: Float32Array.from(data) };
};
const i32 = (shape: readonly number[], data: ArrayLike<number>): ConstantTensor => {
  return { dtype: "i32", shape, data: Int32Array.from(data) };
};

const f16 = (shape: readonly number[], data: ArrayLike<number>): Feed => {
  return { dtype: "f16", shape, data: new Uint16Array(Float16Array.from(data).buffer) };
};

/** Values near 1 for scales of norms, small ones elsewhere. */
function weightsOf({ parameters }: Pick<Model, "parameters">): Weights {
  const entries = parameters.map(({ name, shape }, i) => {
    const values = filler(shape, 100 + i, 0.8);
    return [name, /norm\d?\.weight$/u.test(name) ? values.map((value) => 1 + value) : values] as const;
  });
  return Object.fromEntries(entries);
}

function weightTensors(model: Pick<Model, "parameters">): Tensors {
  const weights = weightsOf(model);
  return Object.fromEntries(model.parameters.map(({ name, shape }) => [name, f32(shape, weights[name] ?? [])]));
}

function largestGap(found: ConstantTensor | undefined, expected: ConstantTensor | undefined): number {
  expect(found?.shape).toEqual(expected?.shape);
  const wanted = Array.from(expected?.data ?? []);
  const scale = wanted.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-6);
  return (
    wanted.reduce((worst, value, i) => Math.max(worst, Math.abs(value - (found?.data[i] ?? Number.NaN))), 0) / scale
  );
}

function expectSame(found: Tensors, expected: Tensors, tolerance: number): void {
  expect(Object.keys(found).sort()).toEqual(Object.keys(expected).sort());
  const gaps = Object.entries(expected).map(([name, tensor]) => ({ name, gap: largestGap(found[name], tensor) }));
  expect(gaps.filter(({ gap }) => !(gap < tolerance))).toEqual([]);
}

/** A loss and its gradients by the parameters, as outputs of a graph. */
function gradientBuild(
  { parameters }: Pick<Model, "parameters">,
  lossOf: (tensors: Readonly<Record<string, tf.Tensor>>) => tf.Scalar,
): CaptureOptions["build"] {
  const names = parameters.map(({ name }) => name);
  return (tensors) => {
    const run = (...values: tf.Tensor[]) =>
      lossOf({ ...tensors, ...Object.fromEntries(values.map((value, i) => [names[i] ?? "", value])) });
    const { value, grads } = tf.valueAndGrads(run)(names.map((name) => tensors[name] as tf.Tensor));
    return { loss: value, ...Object.fromEntries(names.map((name, i) => [`d.${name}`, grads[i] as tf.Tensor])) };
  };
}

describe("the captured step of a pretraining", () => {
  it.each([
    ["on full regions", {}, []],
    ["on regions with missing tiles", {}, [[0, 3], [], [20], [5, 6, 7, 8]]],
    ["with LayerScale", { mixer: { ...SIZES, layerScaleInit: 0.1 } }, [[], [20]]],
    ["with branches that drop", { mixer: { ...SIZES, layerScaleInit: 0.1, dropPath: 0.3 } }, [[], [4]]],
    ["with both objectives", { contrastive: { projectorWidth: 8, projectionWidth: 4 } }, [[], [4]]],
  ])("%s equals the eager one", async (_name, change, missing) => {
    const model = buildPretrainModel({
      dIn: D,
      mixer: SIZES,
      masked: { decoderWidth: 12, decoderHeads: 2 },
      ...change,
    });
    const isRagged = missing.length > 0;
    const ports = pretrainPorts(model, { nViews: "V", isRagged, featureType: "f32", dropsPaths: true });
    const parameters = model.parameters.map(({ name, shape }) => ({ name, dtype: "f32" as const, shape }));
    const build = gradientBuild(model, (tensors) => model.forward(pretrainInputFromPorts(tensors), tensors).loss);
    const options = { name: "pretrain", inputs: [...ports, ...parameters], build };
    const numbers = pretrainNumbers(model, 4, missing);
    const views = ports.map(({ name, shape, dtype }): [string, ConstantTensor] => {
      const fixed = shape.map((dim) => (dim === "V" ? 4 : Number(dim)));
      return [name, (dtype === "i32" ? i32 : f32)(fixed, numbers[name as keyof typeof numbers])];
    });
    const feeds = { ...Object.fromEntries(views), ...weightTensors(model) };
    expectSame(await runGraph(captureGraph(options), feeds), runEagerly(options, feeds), 2e-5);
  });
});

describe("features in half precision (M12)", () => {
  it("give the loss of single precision within 2e-3 on 256 regions", async () => {
    const model = buildPretrainModel({ dIn: D, mixer: SIZES, masked: { decoderWidth: 12, decoderHeads: 2 } });
    const numbers = pretrainNumbers(model, 256);
    const lossOf = async (featureType: "f32" | "f16"): Promise<number> => {
      const ports = pretrainPorts(model, { nViews: "V", isRagged: false, featureType });
      const parameters = model.parameters.map(({ name, shape }) => ({ name, dtype: "f32" as const, shape }));
      const build: CaptureOptions["build"] = (tensors) => ({
        loss: model.forward(pretrainInputFromPorts(tensors), tensors).loss,
      });
      const views = ports.map(({ name, shape, dtype }): [string, Feed] => {
        const fixed = shape.map((dim) => (dim === "V" ? 256 : Number(dim)));
        const values = numbers[name as keyof typeof numbers];
        const make = { i32, f32, f16 }[dtype as "i32" | "f32" | "f16"];
        return [name, make(fixed, values)];
      });
      const graph = captureGraph({ name: "pretrain", inputs: [...ports, ...parameters], build });
      const { loss } = await runGraph(graph, { ...Object.fromEntries(views), ...weightTensors(model) });
      return Number(loss?.data[0]);
    };
    const [single, half] = [await lossOf("f32"), await lossOf("f16")];
    expect(Math.abs(half - single)).toBeLessThan(2e-3 * Math.abs(single));
    // Halves are others, so a graph that did not read them would be found out.
    expect(half).not.toBe(single);
  });
});

const HEAD = { head: { kind: "none" }, task: { kind: "embedding", classes: [] } };

/**
 * A bag of `nRegions` regions of 21 places, of which some are empty, and a tile at every other; rows lie in a scattered order. With
 * `levels` only tokens of those magnifications are looked at.
 */
function bagOf(nRegions: number, levels: readonly number[] = [0, 1, 2]) {
  const isThere = (place: number) => (place * 7 + 3) % 5 !== 0 || place % 21 === 0;
  const places = Array.from({ length: 21 * nRegions }, (_, place) => place).filter(isThere);
  const step = places.length % 13 === 0 ? 11 : 13;
  const rows = places.map((_, i) => places[(i * step) % places.length] as number);
  const levelOf = (place: number) => (place % 21 === 0 ? 0 : place % 21 < 5 ? 1 : 2);
  const kept = rows.flatMap((place, row) => (levels.includes(levelOf(place)) ? [row] : []));
  const looked = Array.from({ length: 21 }, (_, token) => token).filter((token) => levels.includes(levelOf(token)));
  const indexOf = new Map(kept.map((row, i) => [rows[row] as number, i]));
  const slots = Array.from({ length: nRegions }, (_, r) =>
    looked.map((token) => indexOf.get(21 * r + token) ?? kept.length),
  );
  const placeOf = kept.map((row) => {
    const place = rows[row] as number;
    return Math.floor(place / 21) * looked.length + looked.indexOf(place % 21);
  });
  const tensors = {
    features: f32([rows.length, D], filler([rows.length, D], nRegions, 2)),
    kept: i32([kept.length], kept),
    slots: i32([nRegions, looked.length], slots.flat()),
    places: i32([kept.length], placeOf),
  };
  return { tensors, slots, nKept: kept.length };
}

function feedsOf(model: Model, tensors: Tensors): Tensors {
  return Object.fromEntries(bagPorts(model).map(({ name }) => [name, tensors[name] as ConstantTensor]));
}

/** The re-embedder as a graph of given sizes with weights as inputs, for eager runs. */
function eagerTiles(model: Model, feeds: Tensors, isTraining: boolean): ConstantTensor | undefined {
  const inputs = [
    ...bagPorts(model).map((port) => ({ ...port, shape: feeds[port.name]?.shape ?? [] })),
    ...model.parameters.map(({ name, shape }) => ({ name, dtype: "f32" as const, shape })),
  ];
  const build: CaptureOptions["build"] = (tensors) => {
    const { features, ...sides } = modelInputFromPorts(tensors);
    const drop = isTraining ? <T extends tf.Tensor>(_site: unknown, x: T) => x : undefined;
    const tiles = model.stages.stem(features, tensors, drop);
    return { tiles: model.stages.body({ ...sides, tiles }, tensors, drop).tiles };
  };
  return runEagerly({ name: "eager", inputs, build }, { ...feeds, ...weightTensors(model) }).tiles;
}

describe.each([
  ["contextualised", {}, [0, 1, 2]],
  ["compressed", { output: "compressed" }, [0, 1, 2]],
  ["norms of magnifications", { levelNorm: true }, [0, 1, 2]],
  ["LayerScale, folded", { layerScaleInit: 0.1 }, [0, 1, 2]],
  ["the finest magnification alone", { levels: [2] }, [2]],
  ["two magnifications, compressed", { levels: [0, 2], output: "compressed", dropout: 0.1 }, [0, 2]],
])("the mixer as a re-embedder: %s", (_name, change, levels) => {
  const model = buildModel({ dIn: D, reembed: { kind: "region-mixer", ...SIZES, ...change }, ...HEAD });
  const graphs = captureReembed(model, weightsOf(model));

  it("is one graph for bags of any size, in one piece and in two", async () => {
    const [whole, stem, body] = await Promise.all(
      [graphs.whole, graphs.halves?.stem, graphs.halves?.body].map((graph) => openGraph(graph as never)),
    );
    for (const nRegions of [1, 2, 7, 40]) {
      const { tensors, nKept } = bagOf(nRegions, levels);
      const feeds = feedsOf(model, tensors);
      const { tiles } = (await whole?.(feeds)) ?? {};
      const { features, ...sides } = feeds;
      const rows = await stem?.({ features: features as ConstantTensor });
      const halves = await body?.({ ...rows, ...sides });
      expect(tiles?.shape[0]).toBe(model.outputRows === "regions" ? nRegions : nKept);
      expect(largestGap(halves?.tiles, tiles)).toBeLessThan(1e-6);
      if (nRegions > 7) continue;
      expect(largestGap(tiles, eagerTiles(model, feeds, false))).toBeLessThan(1e-5);
      expect(largestGap(tiles, eagerTiles(model, feeds, true))).toBeLessThan(1e-5);
    }
  });
});

describe("a region of a bag", () => {
  const model = buildModel({ dIn: D, reembed: { kind: "region-mixer", ...SIZES }, ...HEAD });

  it("does not see other regions, and missing tiles are nobody", async () => {
    const run = await openGraph(captureReembed(model, weightsOf(model)).whole);
    const { tensors, slots, nKept } = bagOf(3);
    const { tiles } = await run(feedsOf(model, tensors));
    for (const region of slots) {
      const rows = region.filter((row) => row < nKept);
      const own = {
        features: f32([rows.length, D], rows.flatMap((row) => Array.from(tensors.features.data.subarray(row * D, (row + 1) * D)))),
        slots: i32([1, 21], region.map((row) => (row < nKept ? rows.indexOf(row) : rows.length))),
        places: i32([rows.length], rows.map((row) => region.indexOf(row))),
      }; // biome-ignore format: one line each
      const { tiles: alone } = await run(own);
      const width = model.tileWidth;
      const found = rows.flatMap((row) => Array.from(tiles?.data.subarray(row * width, (row + 1) * width) ?? []));
      expect(largestGap(f32([rows.length, width], found), alone)).toBeLessThan(1e-6);
    }
  });
});

describe("fine-tuning a mixer under a head", () => {
  it.each([{}, { output: "compressed" }, { levels: [1, 2] }, { layerScaleInit: 0.1, dropPath: 0.2 }])(
    "%j: the captured gradient equals the eager one",
    async (change) => {
      const reembed = { kind: "region-mixer", ...SIZES, ...change };
      const head = { kind: "gated-abmil", hidden: [], attentionWidth: 4, dropout: 0 };
      const model = buildModel({ dIn: D, reembed, head, task: { kind: "binary", classes: ["no", "yes"] } });
      const keep = <T extends tf.Tensor>(_site: unknown, x: T) => x;
      const build = gradientBuild(model, (tensors) =>
        tf.sum(tf.square(model.forward(modelInputFromPorts(tensors), tensors, keep).logits)),
      );
      const parameters = model.parameters.map(({ name, shape }) => ({ name, dtype: "f32" as const, shape }));
      const options = { name: "fine-tune", inputs: [...bagPorts(model), ...parameters], build };
      const run = await openGraph(captureGraph(options));
      for (const nRegions of [1, 3]) {
        const { tensors } = bagOf(nRegions, "levels" in change ? [1, 2] : [0, 1, 2]);
        const feeds = { ...feedsOf(model, tensors), ...weightTensors(model) };
        expectSame(await run(feeds), runEagerly(options, feeds), 5e-5);
      }
    },
  );
});

describe("levels", () => {
  it("keeps the tiles of some magnifications as they are", async () => {
    const model = buildModel({ dIn: D, reembed: { kind: "levels", levels: [0, 2] }, ...HEAD });
    expect([model.sideInputs, model.outputRows, sizeOfShape(model.parameters.map(() => 1))]).toEqual([
      ["kept"],
      "kept",
      1,
    ]);
    const { tensors } = bagOf(2, [0, 2]);
    const { tiles } = await runGraph(captureReembed(model, {}).whole, feedsOf(model, tensors));
    const expected = Array.from(tensors.kept.data).flatMap((row) => {
      return Array.from(tensors.features.data.subarray(row * D, (row + 1) * D));
    });
    expect(Array.from(tiles?.data ?? [])).toEqual(expected);
  });
});

describe("gated attention pooling (M11)", () => {
  const head = { kind: "gated-abmil", hidden: [], attentionWidth: 2 };
  const model = buildModel({
    dIn: 2,
    reembed: { kind: "none" },
    head,
    task: { kind: "binary", classes: ["no", "yes"] },
  });
  const weights: Tensors = {
    "head.attention.v.weight": f32([2, 2], [1, 0, 0, 1]),
    "head.attention.v.bias": f32([2], [0, 0]),
    "head.attention.u.weight": f32([2, 2], [1, 1, 0, -1]),
    "head.attention.u.bias": f32([2], [0, 0]),
    "head.attention.w.weight": f32([1, 2], [1, 2]),
    "head.classifier.weight": f32([2, 2], [1, 0, 0, 1]),
    "head.classifier.bias": f32([2], [0, 0]),
  };
  const pool = (rows: readonly number[]): Tensors => {
    const inputs = [{ name: "features", dtype: "f32" as const, shape: [rows.length / 2, 2] }];
    const build: CaptureOptions["build"] = (tensors) => {
      const { logits, attention } = model.forward(modelInputFromPorts(tensors), tensors);
      return { logits, attention: attention as tf.Tensor };
    };
    return runEagerly(
      { name: "pool", inputs, constants: weights, build },
      { features: f32([rows.length / 2, 2], rows) },
    );
  };
  const expectNumbers = (found: ConstantTensor | undefined, expected: readonly number[]) => {
    expect(found?.data).toHaveLength(expected.length);
    for (const [i, value] of expected.entries()) expect(found?.data[i]).toBeCloseTo(value, 6);
  };

  it("has the specified weights and embedding", () => {
    const { attention, logits } = pool([1, 0, 0, 1, 1, 1]);
    expectNumbers(attention, [0.28157654, 0.2430538, 0.47536966]);
    expectNumbers(logits, [0.7569462, 0.71842346]);
  });

  it("looks neither at the order of tiles nor at how often the whole bag is there", () => {
    expectNumbers(pool([1, 1, 1, 0, 0, 1]).logits, [0.7569462, 0.71842346]);
    expectNumbers(pool([1, 0, 0, 1, 1, 1, 1, 0, 0, 1, 1, 1]).logits, [0.7569462, 0.71842346]);
  });
});
