import { createEngine, type Engine, type HostTensor, type RunRequest, type TensorSource } from "@parfocal/engine";
import { createRng } from "@parfocal/metrics";
import {
  buildModel,
  buildPretrainModel,
  captureReembed,
  initialiseParameters,
  lossShares,
  type ParameterSpec,
  type PretrainModel,
  splitTokens,
  tokenLevels,
  type Weights,
} from "@parfocal/models";
import { captureGraph } from "@parfocal/tensor";
import { createOptimiser, pretrainStepBuild } from "@parfocal/training";
import { memoryMib } from "../lib/machine.ts";
import { GRADIENT_OPTIMISER } from "../lib/own-side.ts";

// Legend: V views, N tokens of a region, D features.

/** AdamW as both sides run it. */
export const OPTIMISER = {
  kind: "adamw",
  learningRate: 1.5e-4,
  weightDecay: 0.05,
  beta1: 0.9,
  beta2: 0.95,
  epsilon: 1e-8,
} as const;

/** What both sides compute on. */
export interface MixerWorkload {
  readonly dIn: number;
  readonly mixer: Readonly<Record<string, string | number>>;
  readonly nViews: number;
  readonly threads: number;
  /** Device of the engine, and of PyTorch when it is a GPU; default `cpu`. */
  readonly device?: string;
}

/** Arrays of a workload, each under the name of its file for the other side. */
export interface MixerArrays {
  readonly "tokens.f32": Float32Array<ArrayBuffer>;
  readonly "kept.i32": Int32Array<ArrayBuffer>;
  readonly "removed.i32": Int32Array<ArrayBuffer>;
  readonly "shares.f32": Float32Array<ArrayBuffer>;
  readonly "weights.f32": Float32Array<ArrayBuffer>;
}

/** Our side: an engine that holds views and state, as in a pretraining and in a serving stage. */
export interface MixerSide {
  readonly engine: Engine;
  /** Memory of the engine process before anything was in it, MiB. */
  readonly baseMib: number;
  readonly model: PretrainModel;
  readonly arrays: MixerArrays;
  /** Parameters in the order of `weights.f32`. */
  readonly layout: readonly ParameterSpec[];
  /** Updates in one message; gives their losses. */
  train(nSteps: number): Promise<number[]>;
  /** Whole regions through the re-embedder, in one message. Gives the tiles of the last run `[V·N, W]`, which stay in the engine unless asked for. */
  encode(nRuns: number, wantsTiles?: boolean): Promise<Float32Array | undefined>;
  /** `[P]`, the gradient of the loss at the weights as they are. */
  gradients(): Promise<Float32Array>;
  close(): Promise<void>;
}

/** Starts an engine with views and initial state in its memory. */
export async function startMixerSide(workload: MixerWorkload): Promise<MixerSide> {
  const { dIn, mixer, nViews, threads, device = "cpu" } = workload;
  const model = buildPretrainModel({ dIn, mixer });
  // The other side's threads wait awake too.
  const engine = createEngine({ device, store: { uri: "memory:" }, intraOpThreads: threads, allowSpinning: true });
  await engine.ready();
  const baseMib = memoryMib(engine.stats().pid, "VmHWM");
  const values = initialiseParameters(model.parameters, createRng(1n));
  // Matrices before what does not decay, which is how the training graphs lay them end to end.
  const layout = model.parameters.toSorted((a, b) => Number(b.decay) - Number(a.decay));
  const arrays = { ...viewArrays(model, nViews), "weights.f32": joined(layout, values) };
  const side = { engine, baseMib, model, arrays, layout };
  await engine.setResident(residentOf(side, nViews));
  return {
    ...side,
    train: createTrainer(side, nViews),
    encode: createEncoder(side, values, { dIn, mixer, nViews }),
    gradients: createGradient(side, nViews),
    close: () => engine.close(),
  };
}

type Parts = Pick<MixerSide, "engine" | "model" | "arrays">;

function joined(layout: readonly ParameterSpec[], values: Weights): Float32Array<ArrayBuffer> {
  const parts = layout.map(({ name }) => values[name] ?? new Float32Array());
  const flat = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  parts.reduce((offset, part) => {
    flat.set(part, offset);
    return offset + part.length;
  }, 0);
  return flat;
}

/** Random features and masks; every view is full. */
function viewArrays(model: PretrainModel, nViews: number): Omit<MixerArrays, "weights.f32"> {
  const rng = createRng(2n);
  const { nTokens, config } = model;
  const levels = tokenLevels(config.mixer).map((level) => config.mixer.levels.indexOf(level));
  const counts = config.mixer.levels.map((_level, m) => levels.filter((level) => level === m).length);
  const splits = Array.from({ length: nViews }, () => {
    const uniforms = Array.from({ length: nTokens }, () => rng.nextFloat());
    return splitTokens(uniforms, config.masked.removalRatio);
  });
  const shares = splits.flatMap(({ removed }) => {
    const own = removed.map((token) => levels[token] ?? 0);
    return lossShares(own, counts, config.masked.weighting);
  });
  return {
    "tokens.f32": Float32Array.from({ length: nViews * nTokens * config.dIn }, () => 2 * rng.nextFloat() - 1),
    "kept.i32": Int32Array.from(splits.flatMap(({ kept }) => kept)),
    "removed.i32": Int32Array.from(splits.flatMap(({ removed }) => removed)),
    "shares.f32": Float32Array.from(shares),
  };
}

function tensor(dtype: "f32" | "i32", shape: readonly number[], data: Float32Array | Int32Array): HostTensor {
  return { dtype, shape, data: new Uint8Array(data.buffer, data.byteOffset, data.byteLength) };
}

function residentOf({ model, arrays }: Parts, nViews: number): Record<string, HostTensor> {
  const { nTokens, nKept, nRemoved, config } = model;
  const { length } = arrays["weights.f32"];
  const rows = Int32Array.from({ length: nViews * nTokens }, (_, row) => row);
  return {
    tokens: tensor("f32", [nViews, nTokens, config.dIn], arrays["tokens.f32"]),
    features: tensor("f32", [nViews * nTokens, config.dIn], arrays["tokens.f32"]),
    kept: tensor("i32", [nViews, nKept], arrays["kept.i32"]),
    removed: tensor("i32", [nViews, nRemoved], arrays["removed.i32"]),
    shares: tensor("f32", [nViews, nRemoved], arrays["shares.f32"]),
    slots: tensor("i32", [nViews, nTokens], rows),
    places: tensor("i32", [nViews * nTokens], rows),
    weights: tensor("f32", [length], arrays["weights.f32"]),
    "slot.moment1": tensor("f32", [length], new Float32Array(length)),
    "slot.moment2": tensor("f32", [length], new Float32Array(length)),
  };
}

const resident = (name: string): Extract<TensorSource, { kind: "resident" }> => ({ kind: "resident", name });

const INLINE = { kind: "inline" } as const;

function createTrainer({ engine, model }: Parts, nViews: number): MixerSide["train"] {
  const optimiser = createOptimiser(OPTIMISER);
  const graph = captureGraph(pretrainStepBuild(model, optimiser, { nViews, isRagged: false, featureType: "f32" }));
  const state = ["weights", "slot.moment1", "slot.moment2"];
  const inputs = ["tokens", "kept", "removed", "shares", ...state];
  const feeds = Object.fromEntries(inputs.map((name) => [name, resident(name)]));
  const next = Object.fromEntries(state.map((name) => [`next.${name}`, resident(name)]));
  let nDone = 0;
  const run = (): RunRequest => {
    nDone += 1;
    const hyper = optimiser.hyper(nDone, OPTIMISER.learningRate);
    const source: TensorSource = { kind: "inline", tensor: tensor("f32", [hyper.length], hyper) };
    return { graph, feeds: { ...feeds, hyper: source }, fetches: { loss: INLINE, ...next } };
  };
  return async (nSteps) => {
    const results = await engine.run(Array.from({ length: nSteps }, run));
    return results.map(({ outputs }) => floatsOf(outputs.loss)[0] ?? Number.NaN);
  };
}

function createGradient({ engine, model, arrays }: Parts, nViews: number): MixerSide["gradients"] {
  const optimiser = createOptimiser(GRADIENT_OPTIMISER);
  const graph = captureGraph(pretrainStepBuild(model, optimiser, { nViews, isRagged: false, featureType: "f32" }));
  const inputs = ["tokens", "kept", "removed", "shares", "weights"];
  const feeds = Object.fromEntries(inputs.map((name) => [name, resident(name)]));
  const inline = (values: Float32Array<ArrayBuffer>): TensorSource => ({
    kind: "inline",
    tensor: tensor("f32", [values.length], values),
  });
  return async () => {
    const zeros = {
      hyper: inline(Float32Array.of(0)),
      "slot.momentum": inline(new Float32Array(arrays["weights.f32"].length)),
    };
    const [result] = await engine.run([
      { graph, feeds: { ...feeds, ...zeros }, fetches: { "next.slot.momentum": INLINE } },
    ]);
    return floatsOf(result?.outputs["next.slot.momentum"]);
  };
}

function createEncoder(
  { engine, model }: Parts,
  values: Weights,
  { dIn, mixer }: Omit<MixerWorkload, "threads">,
): MixerSide["encode"] {
  const reembed = { kind: "region-mixer", ...mixer };
  const served = buildModel({ dIn, reembed, head: { kind: "none" }, task: { kind: "embedding", classes: [] } });
  const own = Object.entries(values).filter(([name]) => name.startsWith("reembed."));
  const graph = captureReembed(served, Object.fromEntries(own)).whole;
  const feeds = Object.fromEntries(["features", "slots", "places"].map((name) => [name, resident(name)]));
  return async (nRuns, wantsTiles = false) => {
    const run = { graph, feeds, fetches: { tiles: wantsTiles ? INLINE : resident("tiles") } };
    const results = await engine.run(new Array<RunRequest>(nRuns).fill(run));
    const tiles = results.at(-1)?.outputs.tiles;
    if (tiles !== undefined && tiles.data.byteLength === 0) throw new Error(`${model.nTokens} tokens gave nothing`);
    return tiles && floatsOf(tiles);
  };
}

function floatsOf(host: HostTensor | undefined): Float32Array {
  const copy = new Uint8Array(host?.data ?? []);
  return new Float32Array(copy.buffer);
}
