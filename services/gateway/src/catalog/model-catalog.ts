import { DomainError } from "@parfocal/errors";
import { gatewayV1 } from "@parfocal/protocol";
import type { CallOptions, ObjectStore } from "@parfocal/store";
import { type AliasTable, createAliasTable, LATEST } from "./alias-table.ts";
import { deletePrefix } from "./delete-prefix.ts";
import { createJson, readJson } from "./json-objects.ts";
import { keys } from "./keys.ts";
import { createLru } from "./lru.ts";
import { listEntries, type Page, type PageRequest } from "./pages.ts";

/** Which version of a model is meant. */
export type ModelSelector =
  | { readonly kind: "default" }
  | { readonly kind: "version"; readonly version: string }
  | { readonly kind: "alias"; readonly alias: string };

/** The published models of every project. An entry is the contract's own `Model`: no second vocabulary. */
export interface ModelCatalog {
  /** Enters a version once and moves `latest` to it; a version that is there already stays as it is. */
  publish(
    project: string,
    model: string,
    version: string,
    entry: gatewayV1.Model,
    options?: CallOptions,
  ): Promise<void>;
  /** The version meant, with the aliases that point at it. @throws {DomainError} `NOT_FOUND`. */
  get(project: string, model: string, selector: ModelSelector, options?: CallOptions): Promise<gatewayV1.Model>;
  /** One page of versions in the order of their keys, without their histories. */
  list(project: string, model: string | undefined, page: PageRequest): Promise<Page<gatewayV1.Model>>;
  /** Forgets a version and deletes its package. @throws {DomainError} `PRECONDITION_FAILED` while an alias points at it. */
  delete(project: string, model: string, version: string, options?: CallOptions): Promise<void>;
  readonly aliases: AliasTable;
}

const CACHED_ENTRIES = 256;
/** The alias that an unqualified model name means when it is set. */
const PRODUCTION = "production";

/** The model catalog of a store. */
export function createModelCatalog(store: ObjectStore): ModelCatalog {
  const cache = createLru<gatewayV1.Model>(CACHED_ENTRIES);
  const aliases = createAliasTable(store);

  const read = async (key: string, options: CallOptions): Promise<gatewayV1.Model | undefined> => {
    const cached = cache.get(key);
    if (cached !== undefined) return cached;
    const found = await readJson(store, key, (json) => gatewayV1.Model.fromJSON(json), options);
    if (found !== undefined) cache.set(key, found.value);
    return found?.value;
  };

  const versionMeant = async (project: string, model: string, selector: ModelSelector, options: CallOptions) => {
    if (selector.kind === "version") return selector.version;
    if (selector.kind === "alias") return aliases.get(project, model, selector.alias, options);
    // Both at once: every prediction waits for this.
    const [production, latest] = await Promise.all(
      [PRODUCTION, LATEST].map((alias) => aliases.get(project, model, alias, options)),
    );
    return production ?? latest;
  };

  return {
    aliases,
    async publish(project, model, version, entry, options = {}) {
      await createJson(store, keys.modelIndex(project, model, version), gatewayV1.Model.toJSON(entry), options);
      await aliases.set(project, model, LATEST, version, undefined, options);
    },
    async get(project, model, selector, options = {}) {
      const version = await versionMeant(project, model, selector, options);
      const entry = version === undefined ? undefined : await read(keys.modelIndex(project, model, version), options);
      if (entry === undefined)
        throw new DomainError("NOT_FOUND", `no such model, version or alias: ${describe(selector)}`);
      return entry;
    },
    list: (project, model, page) =>
      listEntries(store, keys.modelIndexPrefix(project, model), page, async (key) => {
        const entry = await read(key, page.signal ? { signal: page.signal } : {});
        return entry === undefined ? undefined : { ...entry, history: [], pretraining: [] };
      }),
    async delete(project, model, version, options = {}) {
      await assertNotAliased(aliases, project, model, version, options);
      const key = keys.modelIndex(project, model, version);
      cache.delete(key);
      await store.delete(key, options);
      await deletePrefix(store, `${keys.packageFolder(project, model, version)}/`, options);
    },
  };
}

function describe(selector: ModelSelector): string {
  switch (selector.kind) {
    case "default":
      return "neither alias production nor any version is there";
    case "version":
      return `version ${selector.version}`;
    case "alias":
      return `alias ${selector.alias}`;
  }
}

/** `latest` moves by itself, so it protects nothing: deleting the newest version drops it instead. */
async function assertNotAliased(
  aliases: AliasTable,
  project: string,
  model: string,
  version: string,
  options: CallOptions,
): Promise<void> {
  const pointing = (await aliases.pointingAt(project, model, version, options)).filter((alias) => alias !== LATEST);
  if (pointing.length > 0) {
    throw new DomainError(
      "PRECONDITION_FAILED",
      `alias ${pointing.join(", ")} points at version ${version}; move it first`,
    );
  }
  if ((await aliases.get(project, model, LATEST, options)) === version) {
    await aliases.set(project, model, LATEST, "", version, options);
  }
}
