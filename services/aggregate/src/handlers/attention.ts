import { readBagCoords } from "@parfocal/bags";
import { DomainError } from "@parfocal/errors";
import type { Model } from "@parfocal/models";
import type { aggregateV1 } from "@parfocal/protocol";
import type { HandlerContext } from "@parfocal/runtime";
import { bagRefFromWire, packageFromWire } from "@parfocal/stage";
import { type BagAttention, predictBag } from "@parfocal/training";
import { type ArrayPlace, arrayResult } from "../array-result.ts";
import type { AggregateDeps } from "../deps.ts";
import { mapLabelsOf, mapMeaningOf } from "../map-meaning.ts";
import { mapPercentiles } from "../map-percentiles.ts";
import { predictionToWire } from "../wire.ts";

/** `Attention`: the prediction with the weight or score of every tile, or region; large maps come back as an object of the store. */
export function createAttention({ store, engine, models }: AggregateDeps) {
  return async (
    request: aggregateV1.AttentionRequest,
    { signal }: HandlerContext,
  ): Promise<aggregateV1.AttentionResponse> => {
    const { folder, digest } = packageFromWire(store, request.model);
    const ref = bagRefFromWire(store, request.bag);
    const loaded = await models.get(folder, digest, { signal });
    const prediction = await predictBag({ engine, store }, loaded, ref, { wantsAttention: true, signal });
    const { attention } = prediction;
    if (attention === undefined) throw withoutAttention(loaded.model);
    const ofBag = ref.hasCoords && attention.coords === undefined;
    const coords = ofBag ? await readBagCoords(store, ref, { signal }) : attention.coords;
    const keep = { store, folder: `cache/attention/${digest}/${ref.digest}`, signal };
    return {
      ...(await mapsToWire(loaded.model, attention, keep, request.includePercentiles)),
      coordinates:
        coords && (await arrayResult({ ...keep, name: "coordinates" }, Float32Array.from(coords), [attention.n, 2])),
      prediction: predictionToWire(loaded, prediction),
    };
  };
}

type Maps = Pick<aggregateV1.AttentionResponse, "attention" | "percentiles" | "mapLabels" | "meanings">;

async function mapsToWire(
  { config }: Model,
  attention: BagAttention,
  keep: Omit<ArrayPlace, "name">,
  includePercentiles: boolean,
): Promise<Maps> {
  const { n, nBranches, values } = attention;
  const meaning = mapMeaningOf(config.head.kind);
  const shape = [n, nBranches];
  const percentiles = includePercentiles
    ? await arrayResult({ ...keep, name: "percentiles" }, await mapPercentiles(attention), shape)
    : undefined;
  return {
    attention: await arrayResult({ ...keep, name: "weights" }, values, shape),
    percentiles,
    mapLabels: mapLabelsOf(config.task, nBranches, meaning),
    meanings: Array.from({ length: nBranches }, () => meaning),
  };
}

/** Embeddings say nothing of single tiles; graphs of before scores were given do not give them. */
function withoutAttention({ config, nBranches }: Model): DomainError {
  const { kind } = config.head;
  const message =
    nBranches === 0
      ? `a ${kind} head weighs no tiles: it has no attention to give`
      : `this ${kind} head was published before the scores of its tiles were given: train or import it again`;
  return new DomainError("PRECONDITION_FAILED", message);
}
