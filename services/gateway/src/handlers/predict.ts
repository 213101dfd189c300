import { DomainError } from "@parfocal/errors";
import { type gatewayV1, parseResourceName } from "@parfocal/protocol";
import type { HandlerContext } from "@parfocal/runtime";
import { parseModelName } from "../catalog/model-name.ts";
import type { GatewayDeps } from "../deps.ts";
import { type PredictionStages, type PredictionWish, predictReference } from "../predict-reference.ts";
import { bagReferenceFromRef } from "../wire.ts";
import { assertDistinct, assertLength, entriesOfNamed } from "./named-bags.ts";

/** Slides of a patient beside the first. */
const MAX_MORE_BAGS = 63;

type Deps = Pick<GatewayDeps, "store" | "bags" | "models"> & PredictionStages;

/**
 * `Predict`: resolves the model and the bag, or the bags of a patient, has the bag re-embedded when the model asks for it, then asks the stage that
 * aggregates. Tensors never pass through here.
 */
export function createPredict({ store, bags, models, ...stages }: Deps) {
  return async (request: gatewayV1.PredictRequest, context: HandlerContext): Promise<gatewayV1.PredictResponse> => {
    const { signal } = context;
    const { project, model, selector } = parseModelName(request.model);
    const bag = parseResourceName("bag", request.bag, "bag");
    if (bag.project !== project)
      throw new DomainError("FORBIDDEN", "the model and the bag belong to different projects");
    const { moreBags } = request;
    const wish = wishOf(request);
    assertLength("more_bags", moreBags, 0, MAX_MORE_BAGS);
    const others = moreBags.map((name, index) => ({ name, field: `more_bags[${index}]` }));
    assertDistinct([{ name: request.bag, field: "bag" }, ...others]);
    const [version, entry, more] = await Promise.all([
      models.get(project, model, selector, { signal }),
      bags.get(project, bag.bag, { signal }),
      entriesOfNamed(bags, project, others, signal),
    ]);
    const first = bagReferenceFromRef(store, entry.ref);
    const references = more.map(({ ref }) => bagReferenceFromRef(store, ref));
    const answer = await predictReference(stages, version, [first, ...references], wish, context);
    return { model: version.name, bag: request.bag, ...answer };
  };
}

/** @throws {DomainError} `INVALID_ARGUMENT` for percentiles of nothing. */
function wishOf({ includeAttention, includePercentiles }: gatewayV1.PredictRequest): PredictionWish {
  if (includeAttention || !includePercentiles) return { includeAttention, includePercentiles };
  const message = "include_percentiles is true; they are of the attention, so include_attention must be true too";
  throw new DomainError("INVALID_ARGUMENT", message, { details: { field: "include_percentiles" } });
}
