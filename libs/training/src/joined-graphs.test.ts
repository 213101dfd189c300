import { buildModel, type Model, type ParameterTensors } from "@parfocal/models";
import { type CaptureOptions, type ConstantTensor, runEagerly, tf } from "@parfocal/tensor";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { flatLayout, joinFlat } from "./flat-layout.ts";
import {
  joinedHeadBuild,
  joinedLogitsBuild,
  joinedOpinionsBuild,
  slideGradientBuild,
  slideRowsBuild,
} from "./joined-graphs.ts";
import { dropoutFrom, modelPorts, randomPorts, sitesOf, stateParameters, toldLoss, toldPort } from "./step-ports.ts";
import { filler } from "./testing/filler.ts";
import {
  bagTensors,
  distance,
  modelTensors,
  type Outputs,
  only,
  runCaptured,
  runEager,
  type Tensors,
} from "./testing/graph-runs.ts";
import { openWorld, type World } from "./testing/world.ts";

// What the runs of slides and head add up to is the gradient of the model that sees each slide by itself and their rows as one bag.

const D = 6;
const SLIDES = [9, 1, 14] as const;
const TOTAL = 24;
const TASK = { kind: "binary", classes: ["no", "yes"] };
const SMOOTH = { hidden: [4], activation: "tanh", dropout: 0.3 };
const REEMBEDDERS = {
  roformer: { kind: "roformer", width: 8, heads: 2, mlpRatio: 1, dropout: 0.3 },
  r2t: { kind: "r2t", stemWidth: 8, heads: 2, crmsaHeads: 2, regionNum: 2 },
};
const HEADS = {
  gated: { kind: "gated-abmil", ...SMOOTH, attentionWidth: 3 },
  dsmil: { kind: "dsmil", ...SMOOTH, queryWidth: 3 },
};

let world: World;
beforeAll(async () => {
  world = await openWorld();
});
afterAll(() => world.close());

const modelOf = (reembed: Record<string, unknown>, head: Record<string, unknown>) =>
  buildModel({ dIn: D, standardise: true, reembed, head, task: TASK });
const CASES = {
  "gated ABMIL on RoFormer": modelOf(REEMBEDDERS.roformer, HEADS.gated),
  "DSMIL on RoFormer": modelOf(REEMBEDDERS.roformer, HEADS.dsmil),
  "gated ABMIL on R2T": modelOf(REEMBEDDERS.r2t, HEADS.gated),
};

describe.each(Object.entries(CASES))("joined slides of %s", (_name, model) => {
  const { nTrainable } = flatLayout(model.parameters);
  const slides = SLIDES.map((n, seed) => slideTensors(model, n, seed));
  const common = headTensors(model);
  const weights = filler([nTrainable], 3, 1);
  const inEngine = (options: CaptureOptions, tensors: Tensors) => runCaptured(world.engine, options, tensors);

  it("have the loss and the gradient of one model over all of them, dropout included", async () => {
    const found = await steps(model, { slides, common, weights }, eagerly);
    const expected = runEagerly(wholeBuild(model), wholeTensors(slides, common, weights));
    const gradients = Float32Array.from(expected.gradients?.data ?? []);
    expect(Math.max(...gradients.map(Math.abs))).toBeGreaterThan(1e-3);
    expect(distance(found.gradients, gradients)).toBeLessThan(2e-5);
    expect(found.loss).toBeCloseTo(expected.loss?.data[0] ?? Number.NaN, 5);
  });

  it("are captured as they run eagerly", async () => {
    const expected = await steps(model, { slides, common, weights }, eagerly);
    const found = await steps(model, { slides, common, weights }, inEngine);
    for (const name of ["gradients", "tiles", "logits", "opinions"] as const)
      expect(distance(found[name], expected[name])).toBeLessThan(5e-5);
    expect(found.loss).toBeCloseTo(expected.loss, 5);
  });
});

describe("the gradient of joined slides", () => {
  it("agrees with central differences along directions through every parameter", async () => {
    const model = CASES["gated ABMIL on RoFormer"];
    const { nTrainable } = flatLayout(model.parameters);
    const slides = SLIDES.map((n, seed) => slideTensors(model, n, seed));
    const common = headTensors(model);
    const weights = filler([nTrainable], 3, 1);
    const { gradients } = await steps(model, { slides, common, weights }, eagerly);
    for (const seed of [1, 2]) {
      const direction = unit(filler([nTrainable], 70 + seed));
      const slope = direction.reduce((sum, value, i) => sum + value * (gradients[i] ?? Number.NaN), 0);
      const at = async (shift: number) => {
        const moved = weights.map((value, i) => value + shift * (direction[i] ?? 0));
        return (await steps(model, { slides, common, weights: moved }, eagerly)).loss;
      };
      const central = async (h: number) => ((await at(h)) - (await at(-h))) / (2 * h);
      // As in the gradients of single bags: f32 losses, an error of fourth order.
      const numeric = (4 * (await central(0.02)) - (await central(0.04))) / 3;
      expect(Math.abs(slope - numeric)).toBeLessThan(5e-4 * Math.max(1, Math.abs(slope)));
    }
  });
});

interface Given {
  readonly slides: readonly Tensors[];
  readonly common: Tensors;
  readonly weights: Float32Array;
}

type Run = (options: CaptureOptions, tensors: Tensors) => Promise<Outputs>;

const eagerly: Run = (options, tensors) => Promise.resolve(runEager(options, tensors));

/** An update of one joined bag, run by run as a training makes them. */
async function steps(model: Model, { slides, common, weights }: Given, run: Run) {
  const state = { ...common, weights: vector(weights) };
  const rowsBuild = slideRowsBuild(model, true);
  const rows: Float32Array[] = [];
  for (const slide of slides) {
    const tensors = only({ ...state, ...slide }, rowsBuild.inputs);
    rows.push((await run(rowsBuild, tensors)).tiles ?? new Float32Array());
  }
  const tiles = Float32Array.from(rows.flatMap((of) => [...of]));
  const joined = { ...state, tiles: matrix(tiles, TOTAL) };
  const head = (options: CaptureOptions) => run(options, only(joined, options.inputs));
  const { loss, slopes, ...first } = await head(joinedHeadBuild(model, false, "joint"));
  let gradients = first["next.gradients"] ?? new Float32Array();
  let start = 0;
  for (const [i, slide] of slides.entries()) {
    const build = slideGradientBuild(model);
    const beside = {
      slopes: matrix(slopes ?? new Float32Array(), TOTAL),
      first: index(start),
      gradients: vector(gradients),
    };
    gradients =
      (await run(build, only({ ...state, ...slide, ...beside }, build.inputs)))["next.gradients"] ?? gradients;
    start += SLIDES[i] ?? 0;
  }
  const { logits } = await head(joinedLogitsBuild(model));
  const { opinions } = await head(joinedOpinionsBuild(model));
  const none = new Float32Array();
  return { tiles, gradients, loss: loss?.[0] ?? Number.NaN, logits: logits ?? none, opinions: opinions ?? none };
}

/** The same as one function of all parameters, differentiated as one. */
function wholeBuild(model: Model): CaptureOptions {
  const layout = flatLayout(model.parameters);
  const ports = [...modelPorts(model, layout), ...randomPorts(sitesOf(model, "reembed"))];
  const shared = ["weights", "fixed"];
  const bySlide = SLIDES.flatMap((_n, i) =>
    ports.filter(({ name }) => !shared.includes(name)).map((port) => ({ ...port, name: `${i}/${port.name}` })),
  );
  const own = [
    ...ports.filter(({ name }) => shared.includes(name)),
    ...randomPorts(sitesOf(model, "head")),
    toldPort(model),
  ];
  return {
    name: "whole",
    inputs: [...bySlide, ...own],
    build(tensors) {
      const state = stateParameters(layout, tensors);
      const names = layout.trainable.map(({ name }) => name);
      const lossOf = (...values: tf.Tensor[]): tf.Scalar => {
        const parameters: ParameterTensors = {
          ...state,
          ...Object.fromEntries(values.map((value, i) => [names[i] ?? "", value])),
        };
        const rows = SLIDES.map((_n, i) => {
          const of = Object.fromEntries(
            ports.map(({ name }) => [name, tensors[`${i}/${name}`] ?? tensors[name]]),
          ) as Record<string, tf.Tensor>;
          const { features, grid, coords } = of;
          const stem = model.stages.stem(features as tf.Tensor2D, parameters, dropoutFrom(of));
          const sides = {
            ...(grid && { grid: grid as tf.Tensor2D }),
            ...(coords && { coords: coords as tf.Tensor2D }),
          };
          return model.stages.body({ ...sides, tiles: stem }, parameters, dropoutFrom(of)).tiles;
        });
        const tiles = tf.concat(rows) as tf.Tensor2D;
        return toldLoss(model, model.stages.head(tiles, parameters, dropoutFrom(tensors)), tensors);
      };
      const { value, grads } = tf.valueAndGrads(lossOf)(names.map((name) => state[name] as tf.Tensor));
      return { loss: value, gradients: joinFlat(grads) };
    },
  };
}

function wholeTensors(slides: readonly Tensors[], common: Tensors, weights: Float32Array): Tensors {
  const bySlide = slides.flatMap((slide, i) => Object.entries(slide).map(([name, tensor]) => [`${i}/${name}`, tensor]));
  return { ...common, weights: vector(weights), ...(Object.fromEntries(bySlide) as Tensors) };
}

function slideTensors(model: Model, n: number, seed: number): Tensors {
  const features: ConstantTensor = { dtype: "f32", shape: [n, D], data: filler([n, D], 11 + seed, 2) };
  return { ...bagTensors(model, n), features, ...wordsOf(model, "reembed", n, seed) };
}

function headTensors(model: Model): Tensors {
  const fixed = Float32Array.of(...filler([D], 21), ...filler([D], 22).map((value) => 1 + value));
  const { target } = modelTensors(model, 1);
  return { fixed: vector(fixed), ...(target && { target }), ...wordsOf(model, "head", TOTAL, 0) };
}

function wordsOf(model: Model, stage: "head" | "reembed", n: number, seed: number): Tensors {
  const words = sitesOf(model, stage).map(([i, { name, shape }]): [string, ConstantTensor] => {
    const sizes = shape.map((dim) => (typeof dim === "number" ? dim : n));
    const data = Int32Array.from(filler(sizes, 40 + i + 7 * seed), (value) => Math.floor((value + 0.5) * 65_535));
    return [`random.${name}`, { dtype: "i32", shape: sizes, data }];
  });
  return Object.fromEntries(words);
}

function unit(values: Float32Array): Float32Array {
  const length = Math.hypot(...values);
  return values.map((value) => value / length);
}

const vector = (data: Float32Array): ConstantTensor => ({ dtype: "f32", shape: [data.length], data });
const matrix = (data: Float32Array, n: number): ConstantTensor => ({ dtype: "f32", shape: [n, data.length / n], data });
const index = (value: number): ConstantTensor => ({ dtype: "i32", shape: [1], data: Int32Array.of(value) });
