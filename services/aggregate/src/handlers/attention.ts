import { readBagCoords } from "@parfocal/bags";
import { DomainError } from "@parfocal/errors";
import { branchNames } from "@parfocal/models";
import type { aggregateV1 } from "@parfocal/protocol";
import type { HandlerContext } from "@parfocal/runtime";
import { bagRefFromWire, packageFromWire } from "@parfocal/stage";
import { predictBag } from "@parfocal/training";
import { arrayResult } from "../array-result.ts";
import type { AggregateDeps } from "../deps.ts";
import { predictionToWire } from "../wire.ts";

/** `Attention`: the prediction with the weight of every tile, or region; large maps come back as an object of the store. */
export function createAttention({ store, engine, models }: AggregateDeps) {
  return async (
    request: aggregateV1.AttentionRequest,
    { signal }: HandlerContext,
  ): Promise<aggregateV1.AttentionResponse> => {
    const { folder, digest } = packageFromWire(store, request.model);
    const ref = bagRefFromWire(store, request.bag);
    const loaded = await models.get(folder, digest, { signal });
    const { task, head } = loaded.model.config;
    const prediction = await predictBag({ engine, store }, loaded, ref, { wantsAttention: true, signal });
    const { attention } = prediction;
    if (attention === undefined) {
      throw new DomainError("PRECONDITION_FAILED", `a ${head.kind} head weighs no tiles: it has no attention to give`);
    }
    const ofBag = ref.hasCoords && attention.coords === undefined;
    const coords = ofBag ? await readBagCoords(store, ref, { signal }) : attention.coords;
    const keep = { store, folder: `cache/attention/${digest}/${ref.digest}`, signal };
    return {
      attention: await arrayResult({ ...keep, name: "weights" }, attention.values, [attention.n, attention.nBranches]),
      coordinates:
        coords && (await arrayResult({ ...keep, name: "coordinates" }, Float32Array.from(coords), [attention.n, 2])),
      mapLabels: attention.nBranches > 1 ? branchNames(task) : [],
      prediction: predictionToWire(loaded, prediction),
    };
  };
}
