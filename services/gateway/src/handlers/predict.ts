import { DomainError } from "@parfocal/errors";
import { type gatewayV1, parseAnyResourceName, parseResourceName, type reembedV1 } from "@parfocal/protocol";
import type { HandlerContext } from "@parfocal/runtime";
import type { ModelSelector } from "../catalog/model-catalog.ts";
import type { GatewayDeps } from "../deps.ts";
import { bagReferenceFromRef } from "../wire.ts";

type Deps = Pick<GatewayDeps, "store" | "bags" | "models" | "aggregate" | "reembed">;

/**
 * `Predict`: resolves the model and the bag, has the bag re-embedded when the model asks for it, then asks the stage that
 * aggregates. Tensors never pass through here.
 */
export function createPredict({ store, bags, models, aggregate, reembed }: Deps) {
  return async (request: gatewayV1.PredictRequest, context: HandlerContext): Promise<gatewayV1.PredictResponse> => {
    const { signal } = context;
    const { project, model, selector } = parseModelName(request.model);
    const bag = parseResourceName("bag", request.bag, "bag");
    if (bag.project !== project)
      throw new DomainError("FORBIDDEN", "the model and the bag belong to different projects");
    const [version, entry] = await Promise.all([
      models.get(project, model, selector, { signal }),
      bags.get(project, bag.bag, { signal }),
    ]);
    assertDecides(version);
    const original = { model: version.reference, bag: bagReferenceFromRef(store, entry.ref) };
    const stageRequest = version.reembedder === "" ? original : await reembedded(reembed, original, context);
    const answer = { model: version.name, bag: request.bag };
    if (!request.includeAttention) {
      const { prediction } = await aggregate.predict(stageRequest, { parent: context });
      return { ...answer, prediction };
    }
    const { prediction, attention, coordinates, mapLabels } = await aggregate.attention(stageRequest, {
      parent: context,
    });
    return { ...answer, prediction, attention: { weights: attention, coordinates, mapLabels } };
  };
}

/** A pretrained mixer is served as the re-embedder of others; by itself it says nothing of a slide. */
function assertDecides({ head, reembedder }: gatewayV1.Model): void {
  if (head !== "") return;
  const message = `the model is a re-embedder (${reembedder}) without a head: it decides nothing; train one that starts from it`;
  throw new DomainError("PRECONDITION_FAILED", message, {
    details: { field: "model", precondition: "HEAD", subject: "model" },
  });
}

/** The same request about the re-embedded bag, whose tiles are in the same order and places. */
async function reembedded(
  stage: Deps["reembed"],
  request: reembedV1.ReembedRequest,
  context: HandlerContext,
): Promise<reembedV1.ReembedRequest> {
  for await (const { event } of stage.reembed(request, { parent: context })) {
    if (event?.$case === "bag") return { ...request, bag: event.value };
  }
  throw new DomainError("UNREACHABLE", "the re-embedding stage ended before it gave the bag");
}

/** Which model of which project a name means. */
export function parseModelName(
  name: string,
  field = "model",
): { readonly project: string; readonly model: string; readonly selector: ModelSelector } {
  const parsed = parseAnyResourceName(["model", "modelVersion", "modelAlias"], name, field);
  const { project, model } = parsed;
  switch (parsed.kind) {
    case "model":
      return { project, model, selector: { kind: "default" } };
    case "modelVersion":
      return { project, model, selector: { kind: "version", version: parsed.version } };
    case "modelAlias":
      return { project, model, selector: { kind: "alias", alias: parsed.alias } };
  }
}
