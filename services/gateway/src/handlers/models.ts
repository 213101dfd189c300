import { DomainError } from "@parfocal/errors";
import { type gatewayV1, parseAnyResourceName, parseResourceName } from "@parfocal/protocol";
import type { HandlerContext } from "@parfocal/runtime";
import { LATEST } from "../catalog/alias-table.ts";
import { parseModelName } from "../catalog/model-name.ts";
import type { GatewayDeps } from "../deps.ts";

type Deps = Pick<GatewayDeps, "models">;

/** `GetModel`: one version with the aliases that point at it. */
export function createGetModel({ models }: Deps) {
  return async (
    { name }: gatewayV1.GetModelRequest,
    { signal }: HandlerContext,
  ): Promise<gatewayV1.GetModelResponse> => {
    const { project, model, selector } = parseModelName(name, "name");
    const entry = await models.get(project, model, selector, { signal });
    const { version } = parseResourceName("modelVersion", entry.name);
    const aliases = await models.aliases.pointingAt(project, model, version, { signal });
    return { model: { ...entry, aliases: [...aliases] } };
  };
}

/** `ListModels`: a page of versions with the aliases that point at them. */
export function createListModels({ models }: Deps) {
  return async (
    { parent, pageSize, pageToken }: gatewayV1.ListModelsRequest,
    { signal }: HandlerContext,
  ): Promise<gatewayV1.ListModelsResponse> => {
    const parsed = parseAnyResourceName(["project", "model"], parent, "parent");
    const model = parsed.kind === "model" ? parsed.model : undefined;
    const page = await models.list(parsed.project, model, { pageSize, pageToken, signal });
    const named = page.items.map((entry) => ({ entry, ...parseResourceName("modelVersion", entry.name) }));
    const ids = named.map((each) => each.model);
    const aliases = await models.aliases.ofModels(parsed.project, ids, { signal });
    return {
      models: named.map(({ entry, ...each }) => ({
        ...entry,
        aliases: [...aliases.pointingAt(each.model, each.version)],
      })),
      nextPageToken: page.nextPageToken,
    };
  };
}

/** `DeleteModel`: finishes a deletion that was cut off. */
export function createDeleteModel({ models }: Deps) {
  return async (
    { name }: gatewayV1.DeleteModelRequest,
    { signal }: HandlerContext,
  ): Promise<gatewayV1.DeleteModelResponse> => {
    const { project, model, version } = parseResourceName("modelVersion", name);
    await models.delete(project, model, version, { signal });
    return {};
  };
}

/** `SetAlias`: gives the version with its aliases, this one among them. `latest` follows by itself and is refused. */
export function createSetAlias({ models }: Deps) {
  return async (
    request: gatewayV1.SetAliasRequest,
    { signal }: HandlerContext,
  ): Promise<gatewayV1.SetAliasResponse> => {
    const { project, model, alias } = parseResourceName("modelAlias", request.name);
    if (alias === LATEST) {
      throw new DomainError("INVALID_ARGUMENT", `the alias ${LATEST} follows the newest version and cannot be set`);
    }
    const version = versionOf(project, model, request.version, "version");
    const expected =
      request.expectedVersion === undefined
        ? undefined
        : versionOf(project, model, request.expectedVersion, "expected_version");
    if (version === "") {
      await models.aliases.set(project, model, alias, "", expected, { signal });
      return {};
    }
    // All is read before the alias moves: a read that failed afterwards would say that it had not.
    const [entry, others] = await Promise.all([
      models.get(project, model, { kind: "version", version }, { signal }),
      models.aliases.pointingAt(project, model, version, { signal }),
    ]);
    await models.aliases.set(project, model, alias, version, expected, { signal });
    return { model: { ...entry, aliases: [...new Set([...others, alias])].toSorted() } };
  };
}

/** The id of a version of this model; empty stays empty. */
function versionOf(project: string, model: string, name: string, field: string): string {
  if (name === "") return "";
  const parsed = parseResourceName("modelVersion", name, field);
  if (parsed.project === project && parsed.model === model) return parsed.version;
  throw new DomainError("INVALID_ARGUMENT", `${field} names a version of another model`, { details: { field } });
}
