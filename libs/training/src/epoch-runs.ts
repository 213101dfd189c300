import type { RunRequest, TensorSink, TensorSource } from "@parfocal/engine";
import { createRng } from "@parfocal/metrics";
import type { DropoutSite } from "@parfocal/models";
import { type CapturedGraph, captureGraph } from "@parfocal/tensor";
import { hostTensorFromFloats } from "./host-tensor.ts";
import type { TrainPlan } from "./plan.ts";
import { scheduleFactor } from "./schedule.ts";
import { applyStepBuild, gradStepBuild, logitsBuild, trainStepBuild } from "./step-graphs.ts";
import type { ResidentState, TrainingState } from "./training-state.ts";

/** The graphs of a training: one fused step for batches of one, else gradients and update apart. */
type StepGraphs =
  | { readonly kind: "fused"; readonly step: CapturedGraph }
  | {
      readonly kind: "batched";
      readonly first: CapturedGraph;
      readonly next: CapturedGraph;
      readonly apply: CapturedGraph;
    };

/** Captures the graphs that train the plan's model. */
function captureStepGraphs({ model, optimiser, spec }: TrainPlan): StepGraphs {
  if (spec.batchSize === 1) return { kind: "fused", step: captureGraph(trainStepBuild(model, optimiser)) };
  return {
    kind: "batched",
    first: captureGraph(gradStepBuild(model, false)),
    next: captureGraph(gradStepBuild(model, true)),
    apply: captureGraph(applyStepBuild(model, optimiser)),
  };
}

/** What makes the runs of a training: the plan, its graphs, and where its state lies in the engine. */
export interface RunMaker {
  readonly plan: TrainPlan;
  readonly resident: ResidentState;
  /** Runs of the epoch after `state`; every run that has a `loss` among its outputs is one bag's. */
  trainingRuns(state: TrainingState): Generator<RunRequest, void, undefined>;
  /** One run for each of `rows`, with `logits` among its outputs. */
  logitRuns(rows: readonly number[]): Generator<RunRequest, void, undefined>;
  /** Updates of one epoch. */
  readonly nUpdatesPerEpoch: number;
  /** Step size of update `update`, counted from 0 over the whole training. */
  learningRateAt(update: number, state: TrainingState): number;
}

/** Most dropout sites of a model; streams of random words are numbered `step * this + site`. */
const MAX_SITES = 64n;

/** Makes the runs of a plan. */
export function createRunMaker(plan: TrainPlan, resident: ResidentState): RunMaker {
  const graphs = captureStepGraphs(plan);
  const logits = captureGraph(logitsBuild(plan.model));
  const { spec, split } = plan;
  const nUpdatesPerEpoch = Math.ceil(split.train.length / spec.batchSize);
  const learningRateAt = (update: number, { plateau }: TrainingState): number => {
    const position = { update, nUpdates: nUpdatesPerEpoch * spec.epochs, nUpdatesPerEpoch, plateau };
    return spec.optimiser.learningRate * scheduleFactor(spec.schedule, position);
  };
  const feeds = createFeeds(plan, resident);
  return {
    plan,
    resident,
    nUpdatesPerEpoch,
    learningRateAt,
    *trainingRuns(state) {
      const order = createRng(spec.seed)
        .fork(`order of epoch ${state.epoch + 1}`)
        .shuffle([...split.train]);
      const firstStep = state.epoch * order.length;
      for (let i = 0, update = state.update; i < order.length; i += spec.batchSize, update++) {
        const hyper = plan.optimiser.hyper(update + 1, learningRateAt(update, state));
        const batch = order.slice(i, i + spec.batchSize).map((row, k) => feeds.bag(row, firstStep + i + k));
        yield* updateRuns(graphs, batch, feeds.update(hyper), feeds);
      }
    },
    *logitRuns(rows) {
      for (const row of rows) {
        yield {
          graph: logits,
          feeds: { ...feeds.input(row), ...feeds.state },
          fetches: { logits: { kind: "inline" } },
        };
      }
    },
  };
}

type Feeds = Readonly<Record<string, TensorSource>>;
type Fetches = Readonly<Record<string, TensorSink>>;

function* updateRuns(
  graphs: StepGraphs,
  batch: readonly Feeds[],
  update: Feeds,
  { state, nextState, gradients, nextGradients }: FeedMaker,
): Generator<RunRequest, void, undefined> {
  const loss: TensorSink = { kind: "inline" };
  if (graphs.kind === "fused") {
    for (const bag of batch) {
      yield { graph: graphs.step, feeds: { ...bag, ...state, ...update }, fetches: { loss, ...nextState } };
    }
    return;
  }
  for (const [i, bag] of batch.entries()) {
    const isFirst = i === 0;
    const feeds = { ...bag, ...state, ...(isFirst ? {} : gradients) };
    yield { graph: isFirst ? graphs.first : graphs.next, feeds, fetches: { loss, ...nextGradients } };
  }
  const { weights } = state;
  const scale: TensorSource = { kind: "inline", tensor: hostTensorFromFloats([1], Float32Array.of(1 / batch.length)) };
  yield {
    graph: graphs.apply,
    feeds: { ...(weights && { weights }), scale, ...gradients, ...update },
    fetches: nextState,
  };
}

interface FeedMaker {
  /** Weights and fixed values. */
  readonly state: Feeds;
  /** Where the next weights and slots go. */
  readonly nextState: Fetches;
  readonly gradients: Feeds;
  readonly nextGradients: Fetches;
  /** The tensors of a bag. */
  input(row: number): Feeds;
  /** The tensors of a bag that trains in step `step`: with its target and random words. */
  bag(row: number, step: number): Feeds;
  /** Hyper-parameters and slots of an update. */
  update(hyper: Float32Array): Feeds;
}

function createFeeds(
  { model, layout, optimiser, spec, inputs, targets }: TrainPlan,
  resident: ResidentState,
): FeedMaker {
  const source = (part: string): TensorSource => ({ kind: "resident", name: resident.nameOf(part) });
  const sink = (part: string): TensorSink => ({ kind: "resident", name: resident.nameOf(part) });
  const slots = optimiser.slotNames.map((name) => `slot.${name}`);
  const slotFeeds = Object.fromEntries(slots.map((part) => [part, source(part)]));
  const targetFeeds = targets.map(
    (rows): TensorSource => ({ kind: "inline", tensor: hostTensorFromFloats([2, model.nLogits], rows) }),
  );
  const input = (row: number): Feeds => inputs[row]?.feeds ?? {};
  return {
    state: { weights: source("weights"), ...(layout.nFixed > 0 && { fixed: source("fixed") }) },
    nextState: Object.fromEntries(["weights", ...slots].map((part) => [`next.${part}`, sink(part)])),
    gradients: { gradients: source("gradients") },
    nextGradients: { "next.gradients": sink("gradients") },
    input,
    bag(row, step) {
      const target = targetFeeds[row];
      const words = model.dropoutSites.map((site, i) =>
        randomFeed(site, { n: inputs[row]?.n ?? 0, step, i, seed: spec.seed }),
      );
      return { ...input(row), ...(target && { target }), ...Object.fromEntries(words) };
    },
    update: (hyper) => ({
      hyper: { kind: "inline", tensor: hostTensorFromFloats([hyper.length], hyper) },
      ...slotFeeds,
    }),
  };
}

/** Words of a site depend on seed, step and site alone: neither on where training was resumed nor on what ran before. */
function randomFeed(
  site: DropoutSite,
  { n, step, i, seed }: { n: number; step: number; i: number; seed: bigint },
): readonly [string, TensorSource] {
  const shape = site.shape.map((dim) => (typeof dim === "number" ? dim : n));
  return [`random.${site.name}`, { kind: "random", seed, stream: BigInt(step) * MAX_SITES + BigInt(i), shape }];
}
