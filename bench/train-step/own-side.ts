import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { readBagHeader, writeBag } from "@parfocal/bags";
import { createEngine, type Engine, type HostTensor, type RunRequest, type TensorSource } from "@parfocal/engine";
import { createRng } from "@parfocal/metrics";
import { buildModel, captureAggregate, initialiseParameters, type Model } from "@parfocal/models";
import { openStore } from "@parfocal/store";
import { type CapturedGraph, captureGraph, tf } from "@parfocal/tensor";
import { createOptimiser, trainStepBuild } from "@parfocal/training";
import { memoryMib } from "../lib/machine.ts";

/** What both sides compute on. Legend: N tiles, D features, P trainable numbers. */
export interface Workload {
  readonly n: number;
  readonly d: number;
  /** Probability at all three sites. */
  readonly dropout: number;
  readonly threads: number;
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
  /** `[P]`, the initial state, end to end in the order of `layout`. */
  readonly weights: Float32Array<ArrayBuffer>;
  readonly layout: readonly { readonly name: string; readonly shape: readonly number[] }[];
  /** Training steps in one message, as the trainer sends them; gives their losses. */
  train(nSteps: number): Promise<number[]>;
  /** One message for each prediction, as the serving stage sends them; gives the last probabilities. */
  predict(nRuns: number): Promise<number[]>;
  /** Products of two square matrices in one message; milliseconds inside the runtime. */
  product(size: number, nRuns: number): Promise<number>;
  close(): Promise<void>;
}

/** Starts an engine with the bag in its store and the initial state in its memory. */
export async function startOwnSide(workload: Workload): Promise<OwnSide> {
  const folder = await mkdtemp(join(tmpdir(), "parfocal-bench-"));
  const { href: uri } = pathToFileURL(folder);
  const engine = createEngine({ store: { uri }, intraOpThreads: workload.threads });
  await engine.ready();
  const baseMib = memoryMib(engine.stats().pid, "VmHWM");
  const model = modelOf(workload);
  const initial = initialParameters(model);
  const features = uniformFloats(2n, workload.n * workload.d);
  const bag = await storeBag(uri, workload, features);
  const zeros = floats(new Float32Array(initial.weights.length));
  await engine.setResident({ weights: floats(initial.weights), moment1: zeros, moment2: zeros });
  const serving = captureAggregate(model, initial.values);
  return {
    ...{ engine, baseMib, features, weights: initial.weights, layout: initial.layout },
    train: createTrainer(engine, model, bag, workload),
    async predict(nRuns) {
      const run: RunRequest = { graph: serving, feeds: { features: bag }, fetches: { probabilities: INLINE } };
      let probabilities: number[] = [];
      for (let i = 0; i < nRuns; i++) probabilities = valuesOf((await engine.run([run]))[0]?.outputs.probabilities);
      return probabilities;
    },
    product: (size, nRuns) => runProducts(engine, size, nRuns),
    async close() {
      await engine.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

const INLINE = { kind: "inline" } as const;

/** The model of the benchmark: a layer of 512, gated attention of 256, two classes. */
export function modelOf({ d, dropout }: Pick<Workload, "d" | "dropout">): Model {
  const head = { kind: "gated-abmil", hidden: [512], attentionWidth: 256, dropout, attentionDropout: dropout };
  return buildModel({ dIn: d, head, task: { kind: "binary", classes: ["negative", "positive"] } });
}

/** Matrices before vectors, which is how the training graphs lay them end to end. */
function initialParameters(model: Model) {
  const values = initialiseParameters(model.parameters, createRng(1n));
  const layout = model.parameters.toSorted((a, b) => Number(b.decay) - Number(a.decay));
  const weights = Float32Array.from(layout.flatMap(({ name }) => Array.from(values[name] ?? [])));
  return { values, layout, weights };
}

async function storeBag(uri: string, { n, d }: Workload, data: Float32Array<ArrayBuffer>): Promise<TensorSource> {
  const store = openStore(uri);
  const ref = await writeBag(store, "bags/", { n, d, features: { dtype: "F32", data }, metadata: {} });
  const { etag, features } = await readBagHeader(store, ref);
  store.close();
  const { offsetBytes, shape } = features;
  return { kind: "object", key: ref.key, etag, offsetBytes, dtype: "f32", shape };
}

function createTrainer(engine: Engine, model: Model, bag: TensorSource, { n }: Workload) {
  const optimiser = createOptimiser(OPTIMISER);
  const graph = captureGraph(trainStepBuild(model, optimiser));
  const target: TensorSource = { kind: "inline", tensor: floats(Float32Array.of(0, 1, 1, 1), [2, 2]) };
  let nDone = 0;
  const nextRun = (): RunRequest => {
    nDone += 1;
    const hyper = floats(optimiser.hyper(nDone, OPTIMISER.learningRate));
    const words = model.dropoutSites.map((site, i) => {
      const shape = site.shape.map((dim) => (typeof dim === "number" ? dim : n));
      const stream = BigInt(nDone * model.dropoutSites.length + i);
      return [`random.${site.name}`, { kind: "random", seed: 1n, stream, shape }] as const;
    });
    const feeds = { features: bag, target, ...Object.fromEntries(words), ...STATE.feeds };
    return { graph, feeds: { ...feeds, hyper: { kind: "inline", tensor: hyper } }, fetches: STATE.fetches };
  };
  return async (nSteps: number): Promise<number[]> => {
    const results = await engine.run(Array.from({ length: nSteps }, nextRun));
    return results.map(({ outputs }) => valuesOf(outputs.loss)[0] ?? Number.NaN);
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

function uniformFloats(seed: bigint, length: number): Float32Array<ArrayBuffer> {
  const rng = createRng(seed);
  return Float32Array.from({ length }, () => 2 * rng.nextFloat() - 1);
}

function floats(values: Float32Array<ArrayBuffer>, shape: readonly number[] = [values.length]): HostTensor {
  return { dtype: "f32", shape, data: new Uint8Array(values.buffer, values.byteOffset, values.byteLength) };
}

function valuesOf(tensor: HostTensor | undefined): number[] {
  if (tensor === undefined) return [];
  return Array.from(new Float32Array(new Uint8Array(tensor.data).buffer));
}
