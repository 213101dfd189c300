import type { HostTensor, RunRequest, TensorSink, TensorSource } from "@parfocal/engine";
import { type CapturedGraph, captureGraph } from "@parfocal/tensor";
import { hostTensorFromFloats } from "../host-tensor.ts";
import type { ResidentState } from "../training-state.ts";
import { contrastBuild, projectionBuild } from "./contrast-graphs.ts";
import { viewsPerSource } from "./draw-views.ts";
import { pretrainApplyBuild, pretrainGradientBuild, pretrainLossBuild, pretrainStepBuild } from "./pretrain-graphs.ts";
import { type PretrainPlan, pretrainLearningRate } from "./pretrain-plan.ts";
import type { ViewBatch } from "./view-batch.ts";

/** Where a micro-batch stands among those of its update. */
export interface BatchPlace {
  /** Update, counted from 0. */
  readonly update: number;
  /** Micro-batch of the update, counted from 0. */
  readonly index: number;
  /** Micro-batches of an update. */
  readonly count: number;
}

/** Makes the runs of a pretraining whose state lies in the engine. */
export interface PretrainRuns {
  /**
   * The runs of a micro-batch, those of the last with the update; the first has the losses among its outputs. `pulls` `[V, P]` f32
   * are its part of what {@link PretrainRuns.contrast} gave.
   */
  learn(batch: ViewBatch, place: BatchPlace, pulls?: HostTensor): RunRequest[];
  /** The run that projects views: output `projections`. */
  project(batch: ViewBatch): RunRequest;
  /** The run that contrasts the projections `[V, P]` of all views of a batch: outputs `contrastiveLoss` and `pulls`. */
  contrast(projections: HostTensor, slides: readonly number[]): RunRequest;
  /** The run that measures views. */
  measure(batch: ViewBatch): RunRequest;
}

/** The outputs of a graph that are losses; the host makes reports of them. */
const LOSSES = ["maskedLoss", "levelSums", "levelCounts"];

/** The runs of a plan. Graphs are captured when they are first needed: most cohorts need the full or the ragged ones alone. */
export function createPretrainRuns(plan: PretrainPlan, resident: ResidentState): PretrainRuns {
  const { model, optimiser, spec, length } = plan;
  const graphs = createGraphs(plan);
  const source = (part: string): TensorSource => ({ kind: "resident", name: resident.nameOf(part) });
  const sink = (part: string): TensorSink => ({ kind: "resident", name: resident.nameOf(part) });
  const slots = optimiser.slotNames.map((name) => `slot.${name}`);
  const slotFeeds = Object.fromEntries(slots.map((part) => [part, source(part)]));
  const nextState = Object.fromEntries(["weights", ...slots].map((part) => [`next.${part}`, sink(part)]));
  const inline = (names: readonly string[]): Record<string, TensorSink> =>
    Object.fromEntries(names.map((name) => [name, { kind: "inline" }]));
  const maskedLosses = inline(LOSSES);
  const losses = inline(model.contrastive === undefined ? LOSSES : [...LOSSES, "contrastiveLoss"]);
  const weights = { weights: source("weights") };
  const updateFeeds = (update: number): Record<string, TensorSource> => ({
    hyper: vectorFeed(optimiser.hyper(update + 1, pretrainLearningRate(spec, length, update))),
    ...slotFeeds,
  });
  return {
    learn({ feeds, isRagged }, { update, index, count }, pulls) {
      if (count === 1) {
        const all = { ...feeds, ...weights, ...updateFeeds(update) };
        return [{ graph: graphs.step(isRagged), feeds: all, fetches: { ...losses, ...nextState } }];
      }
      const graph = index === 0 ? graphs.first(isRagged) : graphs.next(isRagged);
      const gradients = { gradients: source("gradients") };
      const pulled: Record<string, TensorSource> =
        pulls === undefined ? {} : { pulls: { kind: "inline", tensor: pulls } };
      const own = feedsOf(graph, { ...feeds, ...pulled, ...weights, ...(index > 0 && gradients) });
      const run = { graph, feeds: own, fetches: { ...maskedLosses, "next.gradients": sink("gradients") } };
      if (index < count - 1) return [run];
      const scale = vectorFeed(Float32Array.of(1 / count));
      const all = { ...weights, ...gradients, scale, ...updateFeeds(update) };
      return [run, { graph: graphs.apply("all"), feeds: all, fetches: nextState }];
    },
    project({ feeds, isRagged }) {
      const graph = graphs.project(isRagged);
      return { graph, feeds: feedsOf(graph, { ...feeds, ...weights }), fetches: { projections: { kind: "inline" } } };
    },
    contrast(projections, slides) {
      const graph = graphs.contrast("all");
      const all: Record<string, TensorSource> = {
        projections: { kind: "inline", tensor: projections },
        slides: { kind: "inline", tensor: integerTensor(slides) },
        // The update divides by the micro-batches what it sums over them.
        scale: vectorFeed(Float32Array.of(spec.batchRegions / spec.microBatchRegions)),
      };
      const fetches = { contrastiveLoss: { kind: "inline" }, pulls: { kind: "inline" } } as const;
      return { graph, feeds: feedsOf(graph, all), fetches };
    },
    measure({ feeds, isRagged }) {
      return { graph: graphs.loss(isRagged), feeds: { ...feeds, ...weights }, fetches: losses };
    },
  };
}

function createGraphs({ model, optimiser, spec, featureType }: PretrainPlan) {
  const nViews = spec.microBatchRegions * viewsPerSource(model.config);
  const nBatchViews = spec.batchRegions * viewsPerSource(model.config);
  // The gradient of one micro-batch of many: its contrastive part comes from outside.
  const partial = (isRagged: boolean) => ({ ...learning(isRagged), hasPulls: model.contrastive !== undefined });
  const learning = (isRagged: boolean) => ({ nViews, isRagged, featureType, dropsPaths: true });
  const measuring = (isRagged: boolean) => ({ nViews: "V", isRagged, featureType });
  return {
    step: memoise((isRagged: boolean) => captureGraph(pretrainStepBuild(model, optimiser, learning(isRagged)))),
    first: memoise((isRagged: boolean) => captureGraph(pretrainGradientBuild(model, partial(isRagged), false))),
    next: memoise((isRagged: boolean) => captureGraph(pretrainGradientBuild(model, partial(isRagged), true))),
    apply: memoise((_: "all") => captureGraph(pretrainApplyBuild(model, optimiser))),
    project: memoise((isRagged: boolean) => captureGraph(projectionBuild(model, learning(isRagged)))),
    contrast: memoise((_: "all") => captureGraph(contrastBuild(model, nBatchViews))),
    loss: memoise((isRagged: boolean) => captureGraph(pretrainLossBuild(model, measuring(isRagged)))),
  };
}

function memoise<K>(make: (key: K) => CapturedGraph): (key: K) => CapturedGraph {
  const made = new Map<K, CapturedGraph>();
  return (key) => {
    const graph = made.get(key) ?? make(key);
    made.set(key, graph);
    return graph;
  };
}

/** Those of the feeds that a graph takes. */
function feedsOf({ inputs }: CapturedGraph, feeds: Readonly<Record<string, TensorSource>>) {
  const taken = inputs.flatMap(({ name }) => (feeds[name] === undefined ? [] : [[name, feeds[name]] as const]));
  return Object.fromEntries(taken);
}

function integerTensor(values: readonly number[]): HostTensor {
  return { dtype: "i32", shape: [values.length], data: new Uint8Array(Int32Array.from(values).buffer) };
}

function vectorFeed(values: Float32Array): TensorSource {
  return { kind: "inline", tensor: hostTensorFromFloats([values.length], values) };
}
