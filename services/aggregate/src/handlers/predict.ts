import type { aggregateV1 } from "@parfocal/protocol";
import type { HandlerContext } from "@parfocal/runtime";
import { bagRefFromWire, packageFromWire } from "@parfocal/stage";
import { predictPatient } from "@parfocal/training";
import type { AggregateDeps } from "../deps.ts";
import { groupRuleToWire, predictionToWire } from "../wire.ts";

/** `Predict`: of one bag, or of the slides of a patient together. Tensors go from the store into the engine and never through here. */
export function createPredict({ store, engine, models }: AggregateDeps) {
  return async (
    request: aggregateV1.PredictRequest,
    { signal }: HandlerContext,
  ): Promise<aggregateV1.PredictResponse> => {
    const { folder, digest } = packageFromWire(store, request.model);
    const ref = bagRefFromWire(store, request.bag);
    const others = request.moreBags.map((bag, index) => bagRefFromWire(store, bag, `more_bags[${index}]`));
    const loaded = await models.get(folder, digest, { signal });
    const prediction = await predictPatient({ engine, store }, loaded, [ref, ...others], signal);
    const rule = groupRuleToWire(others.length > 0 ? loaded : undefined);
    return { prediction: predictionToWire(loaded, prediction), rule };
  };
}
