import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { readBagHeader, writeBag } from "@parfocal/bags";
import { createEngine, type Engine, type HostTensor, type RunRequest, type TensorSource } from "@parfocal/engine";
import { createRng } from "@parfocal/metrics";
import { captureServing, initialiseParameters, type Model, type ServingGraphs } from "@parfocal/models";
import { openStore } from "@parfocal/store";
import { type CapturedGraph, captureGraph, tf } from "@parfocal/tensor";
import { createOptimiser, trainStepBuild } from "@parfocal/training";
import { memoryMib } from "./machine.ts";

/** What both sides compute on. */
export interface Workload {
  readonly model: Model;
  /** Number of tiles. */
  readonly n: number;
  readonly threads: number;
  /** Device of the engine, and of PyTorch when it is a GPU; default `cpu`. */
  readonly device?: string;
}

/** AdamW as both sides run it. */
export const OPTIMISER = {
  kind: "adamw",
  learningRate: 1e-4,
  weightDecay: 1e-5,
  beta1: 0.9,
  beta2: 0.999,
  epsilon: 1e-8,
} as const;

/** Our side: an engine that holds the bag and the state, as in a training and in a serving stage. */
export interface OwnSide {
  readonly engine: Engine;
  /** Memory of the engine process before anything was in it, MiB. */
  readonly baseMib: number;
  /** `[N, D]`. */
  readonly features: Float32Array<ArrayBuffer>;
  /** `[N, 2]`, the cells of the tiles in a wide rectangle; absent when the model does not ask for places. */
  readonly grid?: Int32Array<ArrayBuffer>;
  /** `[P]`, the initial state, end to end in the order of `layout`. */
  readonly weights: Float32Array<ArrayBuffer>;
  readonly layout: readonly { readonly name: string; readonly shape: readonly number[] }[];
  /** Training steps in one message, as the trainer sends them; gives their losses. */
  train(nSteps: number): Promise<number[]>;
  /** One message for each prediction, as the serving stage sends them; gives the last probabilities. */
  predict(nRuns: number): Promise<number[]>;
  /** Everything that the serving graphs give, by output; with a re-embedder also its `tiles`. */
  outputs(): Promise<Readonly<Record<string, Float32Array>>>;
  /** `[P]`, the gradient of the loss at the weights as they are. */
  gradients(): Promise<Float32Array>;
  /** Products of two square matrices in one message; milliseconds inside the runtime. */
  product(size: number, nRuns: number): Promise<number>;
  close(): Promise<void>;
}

/** Starts an engine with the bag in its store and the initial state in its memory. */
export async function startOwnSide(workload: Workload): Promise<OwnSide> {
  const { model, n } = workload;
  const folder = await mkdtemp(join(tmpdir(), "parfocal-bench-"));
  const { href: uri } = pathToFileURL(folder);
  // The other side's threads wait awake too.
  const { threads: intraOpThreads, device = "cpu" } = workload;
  const engine = createEngine({ device, store: { uri }, intraOpThreads, allowSpinning: true });
  await engine.ready();
  const baseMib = memoryMib(engine.stats().pid, "VmHWM");
  const initial = initialParameters(model);
  const features = repeatedFloats(n * model.config.dIn);
  const bag = await storeBag(uri, { n, d: model.config.dIn, data: features });
  const zeros = floats(new Float32Array(initial.weights.length));
  await engine.setResident({ weights: floats(initial.weights), moment1: zeros, moment2: zeros });
  const grid = model.sideInputs.includes("grid") ? rectangle(n) : undefined;
  const feeds = { features: bag, ...(grid && { grid: inlineGrid(grid) }) };
  const serving = captureServing(model, initial.values);
  return {
    ...{ engine, baseMib, features, weights: initial.weights, layout: initial.layout },
    ...(grid && { grid }),
    train: createTrainer(engine, model, feeds, n),
    predict: createPredictor(engine, serving, feeds),
    outputs: () => fetchOutputs(engine, serving, feeds),
    gradients: createGradient(engine, initial.weights.length, { model, bag: feeds, n }),
    product: (size, nRuns) => runProducts(engine, size, nRuns),
    async close() {
      await engine.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

const INLINE = { kind: "inline" } as const;
const TILES_RESIDENT = { kind: "resident", name: "tiles" } as const;

/** Feeds of the bag by the names of the graphs' inputs. */
type BagFeeds = Readonly<Record<string, TensorSource>>;

/** Predictions as the stages make them; with a re-embedder, tiles stay in the engine between the two graphs. */
function createPredictor(engine: Engine, { aggregate, reembed }: ServingGraphs, feeds: BagFeeds): OwnSide["predict"] {
  if (aggregate === undefined) return () => Promise.resolve([]);
  const fetches = { probabilities: INLINE };
  const runs: RunRequest[] =
    reembed === undefined
      ? [{ graph: aggregate, feeds, fetches }]
      : [
          { graph: reembed.whole, feeds, fetches: { tiles: TILES_RESIDENT } },
          { graph: aggregate, feeds: { tiles: TILES_RESIDENT }, fetches },
        ];
  return async (nRuns) => {
    let probabilities: number[] = [];
    for (let i = 0; i < nRuns; i++) probabilities = valuesOf((await engine.run(runs)).at(-1)?.outputs.probabilities);
    return probabilities;
  };
}

async function fetchOutputs(engine: Engine, { aggregate, reembed }: ServingGraphs, feeds: BagFeeds) {
  const found: Record<string, Float32Array> = {};
  let tiles: BagFeeds = feeds;
  for (const graph of [reembed?.whole, aggregate]) {
    if (graph === undefined) continue;
    const inputs = Object.fromEntries(graph.inputs.map(({ name }) => [name, tiles[name] ?? TILES_RESIDENT]));
    const fetches = Object.fromEntries(graph.outputs.map(({ name }) => [name, INLINE]));
    const [result] = await engine.run([{ graph, feeds: inputs, fetches }]);
    for (const [name, tensor] of Object.entries(result?.outputs ?? {})) found[name] = floatsOf(tensor);
    if (graph !== reembed?.whole) continue;
    await engine.run([{ graph, feeds: inputs, fetches: { tiles: TILES_RESIDENT } }]);
    tiles = { tiles: TILES_RESIDENT };
  }
  return found;
}

/** Tiles row by row in a rectangle about four thirds as wide as high. */
function rectangle(n: number): Int32Array<ArrayBuffer> {
  const nColumns = Math.ceil(Math.sqrt((4 / 3) * n));
  return Int32Array.from({ length: 2 * n }, (_, i) =>
    i % 2 === 0 ? (i / 2) % nColumns : Math.floor((i - 1) / 2 / nColumns),
  );
}

function inlineGrid(grid: Int32Array<ArrayBuffer>): TensorSource {
  const data = new Uint8Array(grid.buffer);
  return { kind: "inline", tensor: { dtype: "i32", shape: [grid.length / 2, 2], data } };
}

/** Matrices before vectors, which is how the training graphs lay them end to end. */
function initialParameters(model: Model) {
  const values = initialiseParameters(model.parameters, createRng(1n));
  const layout = model.parameters.toSorted((a, b) => Number(b.decay) - Number(a.decay));
  const weights = Float32Array.from(layout.flatMap(({ name }) => Array.from(values[name] ?? [])));
  return { values, layout, weights };
}

async function storeBag(
  uri: string,
  { n, d, data }: { readonly n: number; readonly d: number; readonly data: Float32Array<ArrayBuffer> },
): Promise<TensorSource> {
  const store = openStore(uri);
  const ref = await writeBag(store, "bags/", { n, d, features: { dtype: "F32", data }, metadata: {} });
  const { etag, features } = await readBagHeader(store, ref);
  store.close();
  const { offsetBytes, shape } = features;
  return { kind: "object", key: ref.key, etag, offsetBytes, dtype: "f32", shape };
}

function createTrainer(engine: Engine, model: Model, bag: BagFeeds, n: number): OwnSide["train"] {
  const optimiser = createOptimiser(OPTIMISER);
  const graph = captureGraph(trainStepBuild(model, optimiser));
  let nDone = 0;
  const nextRun = (): RunRequest => {
    nDone += 1;
    const hyper = floats(optimiser.hyper(nDone, OPTIMISER.learningRate));
    const feeds = { ...bag, target: TARGET, ...randomWords(model, n, nDone), ...STATE.feeds };
    return { graph, feeds: { ...feeds, hyper: { kind: "inline", tensor: hyper } }, fetches: STATE.fetches };
  };
  return async (nSteps: number): Promise<number[]> => {
    const results = await engine.run(Array.from({ length: nSteps }, nextRun));
    return results.map(({ outputs }) => valuesOf(outputs.loss)[0] ?? Number.NaN);
  };
}

/** The second of two classes. */
const TARGET: TensorSource = { kind: "inline", tensor: floats(Float32Array.of(0, 1, 1, 1), [2, 2]) };

function randomWords({ dropoutSites }: Model, n: number, step: number): BagFeeds {
  const words = dropoutSites.map((site, i) => {
    const shape = site.shape.map((dim) => (typeof dim === "number" ? dim : n));
    const stream = BigInt(step * dropoutSites.length + i);
    return [`random.${site.name}`, { kind: "random", seed: 1n, stream, shape }] as const;
  });
  return Object.fromEntries(words);
}

/** Momentum that begins at zero is the gradient after one step, whatever became of the weights. */
export const GRADIENT_OPTIMISER = { kind: "sgd", learningRate: 0, weightDecay: 0, momentum: 0.9 } as const;

function createGradient(
  engine: Engine,
  nWeights: number,
  { model, bag, n }: { readonly model: Model; readonly bag: BagFeeds; readonly n: number },
): OwnSide["gradients"] {
  const graph = captureGraph(trainStepBuild(model, createOptimiser(GRADIENT_OPTIMISER)));
  const hyper: TensorSource = { kind: "inline", tensor: floats(Float32Array.of(0)) };
  const momentum: TensorSource = { kind: "inline", tensor: floats(new Float32Array(nWeights)) };
  const state = { weights: WEIGHTS, "slot.momentum": momentum };
  return async () => {
    const feeds = { ...bag, target: TARGET, ...randomWords(model, n, 0), hyper, ...state };
    const [result] = await engine.run([{ graph, feeds, fetches: { "next.slot.momentum": INLINE } }]);
    return floatsOf(result?.outputs["next.slot.momentum"]);
  };
}

const WEIGHTS = { kind: "resident", name: "weights" } as const;
const MOMENT1 = { kind: "resident", name: "moment1" } as const;
const MOMENT2 = { kind: "resident", name: "moment2" } as const;
const STATE = {
  feeds: { weights: WEIGHTS, "slot.moment1": MOMENT1, "slot.moment2": MOMENT2 },
  fetches: { loss: INLINE, "next.weights": WEIGHTS, "next.slot.moment1": MOMENT1, "next.slot.moment2": MOMENT2 },
};

async function runProducts(engine: Engine, size: number, nRuns: number): Promise<number> {
  const graph = productGraph(size);
  const ones = floats(new Float32Array(size * size).fill(1), [size, size]);
  await engine.setResident({ "product.a": ones, "product.b": ones });
  const run: RunRequest = {
    graph,
    feeds: { a: { kind: "resident", name: "product.a" }, b: { kind: "resident", name: "product.b" } },
    fetches: { c: { kind: "resident", name: "product.c" } },
  };
  const results = await engine.run(new Array<RunRequest>(nRuns).fill(run));
  await engine.dropResident("product.");
  return results.reduce((sum, { engineMs }) => sum + engineMs, 0);
}

function productGraph(size: number): CapturedGraph {
  const shape = [size, size];
  return captureGraph({
    name: "product",
    inputs: [
      { name: "a", dtype: "f32", shape },
      { name: "b", dtype: "f32", shape },
    ],
    build: ({ a, b }) => ({ c: tf.matMul(a as tf.Tensor2D, b as tf.Tensor2D) }),
  });
}

/** A table whose length is a prime number, so that rows of no width repeat. */
const TABLE_LENGTH = 1_048_573;

/** Uniform numbers from -1 to 1, the same table again and again: rows differ, and large bags are made soon. */
function repeatedFloats(length: number): Float32Array<ArrayBuffer> {
  const rng = createRng(2n);
  const table = Float32Array.from({ length: Math.min(length, TABLE_LENGTH) }, () => 2 * rng.nextFloat() - 1);
  const values = new Float32Array(length);
  for (let i = 0; i < length; i += table.length) values.set(table.subarray(0, Math.min(table.length, length - i)), i);
  return values;
}

function floats(values: Float32Array<ArrayBuffer>, shape: readonly number[] = [values.length]): HostTensor {
  return { dtype: "f32", shape, data: new Uint8Array(values.buffer, values.byteOffset, values.byteLength) };
}

function floatsOf(tensor: HostTensor | undefined): Float32Array {
  return new Float32Array(new Uint8Array(tensor?.data ?? []).buffer);
}

function valuesOf(tensor: HostTensor | undefined): number[] {
  return Array.from(floatsOf(tensor));
}
