import { DomainError } from "@parfocal/errors";
import type { gatewayV1 } from "@parfocal/protocol";
import type { GatewayClients } from "./clients.ts";
import { modelNameOf } from "./model-name.ts";

/**
 * The version of a model that `text` means: an id, `id@alias`, `id/versions/…` or a resource name.
 *
 * @throws {DomainError} `NOT_FOUND` when the project has none of the name. @throws {UsageError} for text that names no model.
 */
export async function findModel(
  { models }: Pick<GatewayClients, "models">,
  parent: string,
  text: string,
  signal: AbortSignal,
): Promise<gatewayV1.Model> {
  const { model } = await models.getModel({ name: modelNameOf(parent, text) }, { signal });
  if (model === undefined) throw new DomainError("INTERNAL", "the gateway gave no model");
  return model;
}
