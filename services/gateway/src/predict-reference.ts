import { DomainError } from "@parfocal/errors";
import { commonV1, type gatewayV1, type reembedV1 } from "@parfocal/protocol";
import type { HandlerContext } from "@parfocal/runtime";
import type { GatewayDeps } from "./deps.ts";

/** The stages that a prediction may ask. */
export type PredictionStages = Pick<GatewayDeps, "aggregate" | "reembed">;

/** What of a prediction is wanted. */
export interface PredictionWish {
  /** Whether the weight of every tile comes with it. */
  readonly includeAttention: boolean;
  /** Leave nothing of the bag behind: it is re-embedded where it is aggregated, and not kept. Default: kept for the next head. */
  readonly isTransient?: boolean;
}

/**
 * What a version of a model says of a stored bag, or of the slides of a patient together: has them re-embedded when the model asks for it,
 * each by itself, then asks the stage that aggregates. Tensors never pass through here.
 *
 * @throws {DomainError} `PRECONDITION_FAILED` for a model without a head; what the stages throw.
 */
export async function predictReference(
  { aggregate, reembed }: PredictionStages,
  version: gatewayV1.Model,
  bags: readonly [commonV1.BagReference, ...commonV1.BagReference[]],
  { includeAttention, isTransient = false }: PredictionWish,
  context: HandlerContext,
): Promise<Pick<gatewayV1.PredictResponse, "prediction" | "attention" | "rule">> {
  assertDecides(version);
  const isReembedded = version.reembedder !== "" && !isTransient;
  const ready: (commonV1.BagReference | undefined)[] = [];
  for (const bag of bags) {
    const original = { model: version.reference, bag };
    ready.push(isReembedded ? (await reembedded(reembed, original, context)).bag : bag);
  }
  const [bag, ...moreBags] = ready;
  const request = { model: version.reference, bag };
  if (!includeAttention) {
    const others = moreBags.flatMap((other) => other ?? []);
    return aggregate.predict({ ...request, moreBags: others }, { parent: context });
  }
  if (moreBags.length > 0) throw unattended(bags.length);
  const { prediction, attention, coordinates, mapLabels } = await aggregate.attention(request, { parent: context });
  const { KIND_UNSPECIFIED: rule } = commonV1.GroupRule_Kind;
  return { prediction, attention: { weights: attention, coordinates, mapLabels }, rule };
}

function unattended(nBags: number): DomainError {
  const message = `include_attention is true; attention is of one slide, these are ${nBags}`;
  return new DomainError("INVALID_ARGUMENT", message, { details: { field: "include_attention" } });
}

/** A pretrained mixer is served as the re-embedder of others; by itself it says nothing of a slide. */
function assertDecides({ head, reembedder }: Pick<gatewayV1.Model, "head" | "reembedder">): void {
  if (head !== "") return;
  const message = `the model is a re-embedder (${reembedder}) without a head: it decides nothing; train one that starts from it`;
  throw new DomainError("PRECONDITION_FAILED", message, {
    details: { field: "model", precondition: "HEAD", subject: "model" },
  });
}

/** The same request about the re-embedded bag, whose tiles are in the same order and places. */
async function reembedded(
  stage: PredictionStages["reembed"],
  request: reembedV1.ReembedRequest,
  context: HandlerContext,
): Promise<reembedV1.ReembedRequest> {
  for await (const { event } of stage.reembed(request, { parent: context })) {
    if (event?.$case === "bag") return { ...request, bag: event.value };
  }
  throw new DomainError("UNREACHABLE", "the re-embedding stage ended before it gave the bag");
}
