import { DomainError, mapYields } from "@parfocal/errors";
import { type commonV1, type gatewayV1, parseResourceName } from "@parfocal/protocol";
import type { HandlerContext } from "@parfocal/runtime";
import { type ObjectStore, streamVerified } from "@parfocal/store";
import { parseModelName } from "../catalog/model-name.ts";
import type { GatewayDeps } from "../deps.ts";
import { messageChunks } from "../message-chunks.ts";
import { reembedSteps } from "../reembed-reference.ts";
import { bagReferenceFromRef, refFromBagReference } from "../wire.ts";

type Deps = Pick<GatewayDeps, "store" | "bags" | "models" | "reembed">;

/**
 * `Reembed`: resolves the model and the bag, has the stage re-embed, passes its progress on, gives the reference, and then, when it is
 * asked for, the file. Callers name the bag and never the file, which lies outside every project: who may see the one may see what a model of
 * the same project makes of it.
 */
export function createReembed({ store, bags, models, reembed }: Deps) {
  return async function* (
    request: gatewayV1.ReembedRequest,
    context: HandlerContext,
  ): AsyncIterable<gatewayV1.ReembedResponse> {
    const { signal } = context;
    const { includeContent } = request;
    const { project, model, selector } = parseModelName(request.model);
    const bag = parseResourceName("bag", request.bag, "bag");
    if (bag.project !== project)
      throw new DomainError("FORBIDDEN", "the model and the bag belong to different projects");
    const [version, { ref }] = await Promise.all([
      models.get(project, model, selector, { signal }),
      bags.get(project, bag.bag, { signal }),
    ]);
    assertReembeds(version);
    // Half of a damaged file would be on its way before its digest is known.
    const wish = { model: version.reference, bag: bagReferenceFromRef(store, ref), verify: includeContent };
    const reference = yield* mapYields(reembedSteps(reembed, wish, context), showProgress);
    const reembedded = { model: version.name, bag: request.bag, reference };
    yield { event: { $case: "reembedded", value: reembedded } };
    if (includeContent) yield* contentOf(store, reference, signal);
  };
}

/** The messages that carry the file. @throws {DomainError} `CORRUPT` when it was damaged since; what the store throws. */
async function* contentOf(
  store: ObjectStore,
  reference: commonV1.BagReference,
  signal: AbortSignal,
): AsyncGenerator<gatewayV1.ReembedResponse, void, undefined> {
  const { key, digest, sizeBytes } = refFromBagReference(store, reference);
  const bytes = streamVerified(store, key, { digest, sizeBytes, signal });
  for await (const chunk of messageChunks(bytes)) yield { event: { $case: "chunk", value: chunk } };
}

function showProgress(progress: gatewayV1.ReembedProgress): gatewayV1.ReembedResponse {
  return { event: { $case: "progress", value: progress } };
}

function assertReembeds({ reembedder }: Pick<gatewayV1.Model, "reembedder">): void {
  if (reembedder !== "") return;
  throw new DomainError("PRECONDITION_FAILED", "the model has no re-embedder: tiles go to its head as they are", {
    details: { field: "model", precondition: "REEMBEDDER", subject: "model" },
  });
}
