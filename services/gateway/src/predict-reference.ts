import { DomainError, isDomainError } from "@parfocal/errors";
import { commonV1, type gatewayV1 } from "@parfocal/protocol";
import type { HandlerContext } from "@parfocal/runtime";
import type { GatewayDeps } from "./deps.ts";
import { isOfKeptBag, reembedReference } from "./reembed-reference.ts";

/** The stages that a prediction may ask. */
export type PredictionStages = Pick<GatewayDeps, "aggregate" | "reembed">;

/** What of a prediction is wanted. */
export interface PredictionWish {
  /** Whether the weight or score of every tile comes with it. */
  readonly includeAttention: boolean;
  /** Whether the percentiles of these come too. Default: no. */
  readonly includePercentiles?: boolean;
  /** Leave nothing of the bag behind: it is re-embedded where it is aggregated, and not kept. Default: kept for the next head. */
  readonly isTransient?: boolean;
}

/** A bag, or the slides of a patient. */
type Bags = readonly [commonV1.BagReference, ...commonV1.BagReference[]];

/** What of a prediction comes from the stages. */
type Answer = Pick<gatewayV1.PredictResponse, "prediction" | "attention" | "rule">;

/**
 * What a version of a model says of a stored bag, or of the slides of a patient together: has them re-embedded when the model asks for it,
 * each by itself, then asks the stage that aggregates. Tensors never pass through here. When what is kept of a re-embedding turns
 * out to be damaged, it is made anew, once.
 *
 * @throws {DomainError} `PRECONDITION_FAILED` for a model without a head; what the stages throw.
 */
export async function predictReference(
  { aggregate, reembed }: PredictionStages,
  version: gatewayV1.Model,
  bags: Bags,
  { isTransient = false, ...wish }: PredictionWish,
  context: HandlerContext,
): Promise<Answer> {
  assertDecides(version);
  const model = version.reference;
  const ask = (ready: Bags) => askAggregate(aggregate, { model, bags: ready, ...wish }, context);
  if (version.reembedder === "" || isTransient) return ask(bags);
  const reembedAll = async (verify: boolean): Promise<Bags> => {
    const [first, ...others] = bags;
    const one = (bag: commonV1.BagReference) => reembedReference(reembed, { model, bag, verify }, context);
    const ready: [commonV1.BagReference, ...commonV1.BagReference[]] = [await one(first)];
    for (const bag of others) ready.push(await one(bag));
    return ready;
  };
  const kept = await reembedAll(false);
  try {
    return await ask(kept);
  } catch (error) {
    if (!isDomainError(error) || !isOfKeptBag(error.code)) throw error;
    return ask(await reembedAll(true));
  }
}

interface Question extends Pick<PredictionWish, "includeAttention" | "includePercentiles"> {
  readonly model: commonV1.ModelReference | undefined;
  /** As the head takes them. */
  readonly bags: Bags;
}

async function askAggregate(
  aggregate: PredictionStages["aggregate"],
  { model, bags, includeAttention, includePercentiles = false }: Question,
  context: HandlerContext,
): Promise<Answer> {
  const [bag, ...moreBags] = bags;
  if (!includeAttention) return aggregate.predict({ model, bag, moreBags }, { parent: context });
  if (moreBags.length > 0) throw unattended(bags.length);
  const request = { model, bag, includePercentiles };
  const { prediction, attention: weights, ...maps } = await aggregate.attention(request, { parent: context });
  const { KIND_UNSPECIFIED: rule } = commonV1.GroupRule_Kind;
  return { prediction, attention: { weights, ...maps }, rule };
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
