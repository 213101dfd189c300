import type { HostTensor, RunRequest, TensorSink, TensorSource } from "@parfocal/engine";
import type { BagInput } from "./bag-inputs.ts";
import { hostTensorFromFloats } from "./host-tensor.ts";
import type { Phase } from "./parameter-groups.ts";
import type { TrainPlan } from "./plan.ts";
import { type NumberedSite, sitesOf, trainedSites } from "./step-ports.ts";
import type { ResidentState } from "./training-state.ts";

/** What a run takes, by port. */
export type Feeds = Readonly<Record<string, TensorSource>>;
/** Where a run's outputs go. */
type Fetches = Readonly<Record<string, TensorSink>>;

/** Streams of random words are numbered `step * this + site`, in models of more sites by their number. */
const USUAL_SITES = 64;

/** Streams of the slides of one bag are apart by this: the first has those of a bag alone. */
const SLIDE_STREAMS = 1n << 48n;

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
  /** The tensors of a bag that trains in step `step`: with its target and the random words that the phase uses; joined behind a re-embedder the head's. */
  bag(row: number, step: number, phase: Phase): Feeds;
  /** The random words of a joined bag's slide at `place` as it goes through the re-embedder in step `step`. */
  slideWords(row: number, place: number, step: number): Feeds;
  /** The loss's gradient by joined rows, and where those of a slide begin. */
  slopes(first: number): Feeds;
  /** Where that gradient goes. */
  readonly nextSlopes: Fetches;
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
  const drawn = { seed: spec.seed, nSites: Math.max(USUAL_SITES, model.dropoutSites.length) };
  return {
    state: { weights: source("weights"), ...(layout.nFixed > 0 && { fixed: source("fixed") }) },
    nextState: Object.fromEntries(["weights", ...slots].map((part) => [`next.${part}`, sink(part)])),
    gradients: { gradients: source("gradients") },
    nextGradients: { "next.gradients": sink("gradients") },
    input,
    before: (row) => inputs[row]?.before ?? [],
    bag(row, step, phase) {
      const target = targetFeeds[row];
      const { isJoinedBehind, sizes } = inputs[row] ?? {};
      const sites = isJoinedBehind ? sitesOf(model, "head") : trainedSites(model, phase);
      const words = wordFeeds(sites, { sizes, step, ...drawn });
      return { ...input(row), ...(target && { target }), ...words };
    },
    slideWords(row, place, step) {
      const sizes = inputs[row]?.members?.[place]?.sizes;
      return wordFeeds(sitesOf(model, "reembed"), { sizes, step, place, ...drawn });
    },
    slopes: (first) => ({ slopes: source("slopes"), first: { kind: "inline", tensor: indexTensor(first) } }),
    nextSlopes: { slopes: sink("slopes") },
    update: (hyper) => ({
      hyper: { kind: "inline", tensor: hostTensorFromFloats([hyper.length], hyper) },
      ...slotFeeds,
    }),
  };
}

/** What random words belong to. */
interface WordsOf {
  readonly sizes: BagInput["sizes"] | undefined;
  readonly step: number;
  /** Of a slide among those of its bag. */
  readonly place?: number;
  readonly seed: bigint;
  /** Streams of a step: at least as many as the model has sites. */
  readonly nSites: number;
}

/**
 * Words of a site depend on seed, step, slide and site alone: neither on where training was resumed nor on what ran before. There is room for
 * 2^42 steps of 64 slides in models of up to 64 sites.
 */
function wordFeeds(sites: readonly NumberedSite[], { sizes, step, place = 0, seed, nSites }: WordsOf): Feeds {
  const words = sites.map(([i, site]): [string, TensorSource] => {
    const shape = site.shape.map((dim) => (typeof dim === "number" ? dim : (sizes?.[dim] ?? 0)));
    const stream = BigInt(place) * SLIDE_STREAMS + BigInt(step) * BigInt(nSites) + BigInt(i);
    return [`random.${site.name}`, { kind: "random", seed, stream, shape }];
  });
  return Object.fromEntries(words);
}

function indexTensor(value: number): HostTensor {
  return { dtype: "i32", shape: [1], data: new Uint8Array(Int32Array.of(value).buffer) };
}
