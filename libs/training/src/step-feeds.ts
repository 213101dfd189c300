import type { RunRequest, TensorSink, TensorSource } from "@parfocal/engine";
import type { DropoutSite } from "@parfocal/models";
import type { BagInput } from "./bag-inputs.ts";
import { hostTensorFromFloats } from "./host-tensor.ts";
import type { Phase } from "./parameter-groups.ts";
import type { TrainPlan } from "./plan.ts";
import { trainedSites } from "./step-graphs.ts";
import type { ResidentState } from "./training-state.ts";

/** What a run takes, by port. */
export type Feeds = Readonly<Record<string, TensorSource>>;
/** Where a run's outputs go. */
type Fetches = Readonly<Record<string, TensorSink>>;

/** Most dropout sites of a model; streams of random words are numbered `step * this + site`. */
const MAX_SITES = 64n;

/** Makes what the runs of a training take. */
export interface FeedMaker {
  /** Weights and fixed values. */
  readonly state: Feeds;
  /** Where the next weights and slots go. */
  readonly nextState: Fetches;
  readonly gradients: Feeds;
  readonly nextGradients: Fetches;
  /** The tensors of a bag. */
  input(row: number): Feeds;
  /** The runs without which these are not there. */
  before(row: number): readonly RunRequest[];
  /** The tensors of a bag that trains in step `step`: with its target and the random words that the phase uses. */
  bag(row: number, step: number, phase: Phase): Feeds;
  /** Hyper-parameters and slots of an update. */
  update(hyper: Float32Array): Feeds;
}

/** The feeds of a plan whose state lies in `resident`. */
export function createFeeds(
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
    before: (row) => inputs[row]?.before ?? [],
    bag(row, step, phase) {
      const target = targetFeeds[row];
      const words = trainedSites(model, phase).map(([i, site]) =>
        randomFeed(site, { sizes: inputs[row]?.sizes, step, i, seed: spec.seed }),
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
  at: {
    readonly sizes: BagInput["sizes"] | undefined;
    readonly step: number;
    readonly i: number;
    readonly seed: bigint;
  },
): readonly [string, TensorSource] {
  const { sizes, step, i, seed } = at;
  const shape = site.shape.map((dim) => (typeof dim === "number" ? dim : (sizes?.[dim] ?? 0)));
  return [`random.${site.name}`, { kind: "random", seed, stream: BigInt(step) * MAX_SITES + BigInt(i), shape }];
}
