import { randomUUID } from "node:crypto";
import type { BagRef } from "@parfocal/bags";
import type { RunRequest, TensorSink } from "@parfocal/engine";
import type { ObjectStore } from "@parfocal/store";
import { assertSourceFits, type BagInput, readBagInput, readTilesOrBag } from "../bag-inputs.ts";
import { scoringRuns } from "../serving-runs.ts";
import { decidingGraph, type LoadedModel } from "./load-model.ts";

/** A bag that a model can score. */
export interface ServingInput extends BagInput {
  /** Whether the model's re-embedder has been over it. */
  readonly isReembedded: boolean;
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
  loaded: Pick<LoadedModel, "model" | "manifest" | "aggregate" | "reembed">,
  signal?: AbortSignal,
): Promise<ServingInput> {
  decidingGraph(loaded);
  const { model, manifest, reembed } = loaded;
  const input =
    reembed === undefined
      ? { ...(await readBagInput(store, ref, model, signal)), isReembedded: false }
      : await readTilesOrBag(store, ref, { model, encoder: reembed.encoder }, signal);
  if (!input.isReembedded) assertSourceFits(manifest.expects, input.metadata);
  return input;
}

/** Makes the runs that score bags, as many as the model needs for each. */
export interface Scorer {
  runs(input: ServingInput, fetches: Readonly<Record<string, TensorSink>>): readonly RunRequest[];
  /** Prefix of what the runs leave in the engine; drop it when done. */
  readonly scratchName: string;
}

/**
 * A scorer of bags of which some may need re-embedding.
 *
 * @throws {DomainError} `PRECONDITION_FAILED` as {@link decidingGraph}.
 */
export async function createScorer(
  loaded: Pick<LoadedModel, "aggregate" | "reembed">,
  inputs: readonly ServingInput[],
  signal?: AbortSignal,
): Promise<Scorer> {
  const aggregate = decidingGraph(loaded);
  const { reembed } = loaded;
  const isNeeded = reembed !== undefined && inputs.some((input) => !input.isReembedded);
  const graphs = isNeeded ? await reembed.readGraphs(signal ? { signal } : {}) : undefined;
  // A name of its own: another call's runs may come between two messages of this one.
  const scratchName = `score/${randomUUID()}/`;
  return {
    scratchName,
    runs: (input, fetches) =>
      scoringRuns(
        { aggregate, ...(graphs && !input.isReembedded && { reembed: graphs.whole }) },
        input,
        fetches,
        scratchName,
      ),
  };
}
