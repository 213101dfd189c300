import { randomUUID } from "node:crypto";
import type { BagRef } from "@parfocal/bags";
import type { RunRequest, TensorSink } from "@parfocal/engine";
import type { Model } from "@parfocal/models";
import type { ObjectStore } from "@parfocal/store";
import { type BagInput, readBagInput, readTilesOrBag } from "../bag-inputs.ts";
import { joinInputs } from "../join-inputs.ts";
import { scoringRuns } from "../serving-runs.ts";
import { assertSourceFits, sourceFactsOf } from "../source-facts.ts";
import { decidingGraph, type LoadedModel, type LoadedTypicality } from "./load-model.ts";
import { identityOf, type SeenPart, seenPartOf, worstSeen } from "./seen-bags.ts";
import { momentsRun } from "./typicality-runs.ts";

/** A bag that a model can score. */
export interface ServingInput extends BagInput {
  /** Whether the model's re-embedder has been over it. */
  readonly isReembedded: boolean;
  /** Which part of the model's training had the bag; of slides that were joined the worst, see `worstSeen`. */
  readonly seen: SeenPart;
}

/**
 * Reads where the tensors of a bag lie: one that the model's own re-embedder left, or one as the model was trained on.
 *
 * @throws {DomainError} `PRECONDITION_FAILED` when the model has no head; `GEOMETRY_MISMATCH` naming both widths, encoders or
 * geometries; `EMPTY_BAG`; what the store throws.
 */
export async function readServingInput(
  store: ObjectStore,
  ref: BagRef,
  loaded: Pick<LoadedModel, "model" | "manifest" | "aggregate" | "reembed" | "seen">,
  signal?: AbortSignal,
): Promise<ServingInput> {
  decidingGraph(loaded);
  const { model, manifest, reembed, seen } = loaded;
  const input =
    reembed === undefined
      ? { ...(await readBagInput(store, ref, model, signal ? { signal } : {})), isReembedded: false }
      : await readTilesOrBag(store, ref, { model, encoder: reembed.encoder }, signal);
  const { encoder: _reembedder, ...geometry } = input.metadata;
  // What was re-embedded was looked at as a bag of regions before.
  const facts = input.isReembedded ? sourceFactsOf(geometry) : sourceFactsOf(input.metadata, model);
  assertSourceFits(manifest.expects, facts);
  return { ...input, seen: seenPartOf(seen, identityOf(ref, input.metadata, input.isReembedded)) };
}

/** The slides of a patient as one bag, see `joinInputs`; it counts as re-embedded when every slide is. */
export function joinServing(slides: readonly ServingInput[], model: Model, name: string): ServingInput {
  const seen = worstSeen(slides.map((slide) => slide.seen));
  return { ...joinInputs(slides, model, name), isReembedded: slides.every((slide) => slide.isReembedded), seen };
}

/** Makes the runs that score bags, as many as the model needs for each. */
export interface Scorer {
  /** The last one scores the bag; the one before it, of a scorer that measures, tells how usual the bag is. */
  runs(input: ServingInput, fetches: Readonly<Record<string, TensorSink>>): readonly RunRequest[];
  /** Prefix of what the runs leave in the engine; drop it when done. */
  readonly scratchName: string;
}

/** Options of {@link createScorer}. */
export interface ScorerOptions {
  readonly signal?: AbortSignal;
  /** Whether bags are compared with the training bags, where the model knows them. Default: no. */
  readonly measures?: boolean;
}

/**
 * A scorer of bags of which some may need re-embedding.
 *
 * @throws {DomainError} `PRECONDITION_FAILED` as {@link decidingGraph}.
 */
export async function createScorer(
  loaded: Pick<LoadedModel, "model" | "aggregate" | "reembed" | "usual">,
  inputs: readonly ServingInput[],
  { signal, measures = false }: ScorerOptions = {},
): Promise<Scorer> {
  const aggregate = decidingGraph(loaded);
  const { reembed } = loaded;
  const isNeeded = reembed !== undefined && inputs.some((input) => !input.isReembedded);
  const graphs = isNeeded ? await reembed.readGraphs(signal ? { signal } : {}) : undefined;
  // A name of its own: another call's runs may come between two messages of this one.
  const scratchName = `score/${randomUUID()}/`;
  return {
    scratchName,
    runs(input, fetches) {
      const chain = { aggregate, ...(graphs && !input.isReembedded && { reembed: graphs.whole }) };
      const runs = scoringRuns(chain, input, fetches, scratchName);
      return measures && loaded.usual ? withMoments(loaded.model, loaded.usual, input, runs) : runs;
    },
  };
}

/** The same runs with the one that measures before the last, whose feed it shares. */
function withMoments(
  model: LoadedModel["model"],
  { graph }: LoadedTypicality,
  { rows }: ServingInput,
  runs: readonly RunRequest[],
): readonly RunRequest[] {
  const measure = momentsRun(model, graph, rows.n, runs.at(-1)?.feeds ?? {});
  return measure === undefined ? runs : [...runs.slice(0, -1), measure, ...runs.slice(-1)];
}
