import { DomainError, isDomainError } from "@parfocal/errors";
import { gatewayV1 } from "@parfocal/protocol";
import type { CallOptions, ObjectStore } from "@parfocal/store";
import { type AliasTable, createAliasTable, LATEST } from "./alias-table.ts";
import { deletePrefix } from "./delete-prefix.ts";
import { createEntryCache, type EntryCacheOptions } from "./entry-cache.ts";
import { createJson, readJson } from "./json-objects.ts";
import { keys } from "./keys.ts";
import { listEntries, type Page, type PageRequest } from "./pages.ts";
import { isThere, settleEntry } from "./settle-entry.ts";

/** Which version of a model is meant. */
export type ModelSelector =
  | { readonly kind: "default" }
  | { readonly kind: "version"; readonly version: string }
  | { readonly kind: "alias"; readonly alias: string };

/** The published models of every project. An entry is the contract's own `Model`: no second vocabulary. */
export interface ModelCatalog {
  /**
   * Enters the version of a stored package once and moves `latest` to it; a version that is there already stays as it is.
   *
   * @throws {DomainError} `NOT_FOUND` when the package was deleted since it was stored; no entry is left then. `UNREACHABLE` when the
   * store refuses what follows the entry: the version can be used already, so that to give up would deny what is done.
   */
  publish(
    project: string,
    model: string,
    version: string,
    entry: gatewayV1.Model,
    options?: CallOptions,
  ): Promise<void>;
  /**
   * The version meant. One that another gateway deleted may be given for half a minute more (`MAX_AGE_MS` of the cache).
   *
   * @throws {DomainError} `NOT_FOUND`.
   */
  get(project: string, model: string, selector: ModelSelector, options?: CallOptions): Promise<gatewayV1.Model>;
  /** One page of versions in the order of their keys, without their histories. */
  list(project: string, model: string | undefined, page: PageRequest): Promise<Page<gatewayV1.Model>>;
  /**
   * Forgets a version, then deletes its package, in which nothing of other versions lies. A version without an entry is finished:
   * what a deletion that was cut off, or a training that could not publish, left of the package is deleted. An operation that
   * publishes the version right now fails.
   *
   * @throws {DomainError} `PRECONDITION_FAILED` while an alias points at it, `NOT_FOUND` when neither entry nor package is there.
   */
  delete(project: string, model: string, version: string, options?: CallOptions): Promise<void>;
  readonly aliases: AliasTable;
}

/** Entries in memory, in bytes as they are stored: some hundred with the histories of long trainings. */
const CACHED_BYTES = 16 * 1024 ** 2;
/** The alias that an unqualified model name means when it is set. */
const PRODUCTION = "production";

/** The model catalog of a store. */
export function createModelCatalog(store: ObjectStore, clock: Pick<EntryCacheOptions, "nowMs"> = {}): ModelCatalog {
  const cache = createEntryCache<gatewayV1.Model>({ maxBytes: CACHED_BYTES, ...clock });
  const aliases = createAliasTable(store);
  /** Keys of versions that are entered, while what belongs to it is not done. */
  const unfinished = new Set<string>();

  const read = (key: string, options: CallOptions, maxAgeMs?: number): Promise<gatewayV1.Model | undefined> =>
    cache.read(key, () => readJson(store, key, (json) => gatewayV1.Model.fromJSON(json), options), maxAgeMs);

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
      const key = keys.modelIndex(project, model, version);
      const enter = () => createJson(store, key, gatewayV1.Model.toJSON(entry), options);
      // Who comes back to finish may be refused at its first request already: the version is entered all the same.
      await (unfinished.has(key) ? enter().catch(rethrowRefused) : enter());
      unfinished.add(key);
      const finish = async () => {
        await aliases.set(project, model, LATEST, version, undefined, options);
        if (await settleEntry(store, key, keys.packageManifest(project, model, version), options)) return;
        cache.forget(key);
        await dropLatest(aliases, project, model, version, options);
        throw new DomainError("NOT_FOUND", `version ${version} was deleted before it was entered`);
      };
      await finish().catch(rethrowRefused);
      unfinished.delete(key);
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
        // What was listed is there, however long ago it was read.
        const entry = await read(key, page.signal ? { signal: page.signal } : {}, Number.POSITIVE_INFINITY);
        return entry === undefined ? undefined : { ...entry, history: [], pretraining: [] };
      }),
    async delete(project, model, version, options = {}) {
      await assertNotAliased(aliases, project, model, version, options);
      const key = keys.modelIndex(project, model, version);
      const wasEntered = await isThere(store, key, options);
      const nDeleted = await deleteVersion(store, { project, model, version }, options).finally(() =>
        cache.forget(key),
      );
      await dropLatest(aliases, project, model, version, options);
      if (!wasEntered && nDeleted === 0) throw new DomainError("NOT_FOUND", `no such version: ${version}`);
    },
  };
}

/** A refusal (expired credentials, say) as what it is to one who has to come back: a store that cannot be reached now. */
function rethrowRefused(error: unknown): never {
  if (!isDomainError(error, "FORBIDDEN")) throw error;
  throw new DomainError("UNREACHABLE", `the version is entered, but alias "${LATEST}" is not: ${error.message}`, {
    cause: error,
  });
}

/** Deletes entry and package; gives of how many objects the package was. */
async function deleteVersion(
  store: ObjectStore,
  { project, model, version }: { readonly project: string; readonly model: string; readonly version: string },
  options: CallOptions,
): Promise<number> {
  const key = keys.modelIndex(project, model, version);
  const manifest = keys.packageManifest(project, model, version);
  await store.delete(key, options);
  const count = await deletePrefix(store, `${keys.packageFolder(project, model, version)}/`, options);
  // A stage may have been publishing: its manifest must not outlive the files that it names, nor an entry the manifest.
  await store.delete(manifest, options);
  await settleEntry(store, key, manifest, options);
  return count;
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

/** `latest` moves by itself, so it protects nothing. */
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
}

/** Removes `latest` if it points at a version that was deleted. */
async function dropLatest(
  aliases: AliasTable,
  project: string,
  model: string,
  version: string,
  options: CallOptions,
): Promise<void> {
  if ((await aliases.get(project, model, LATEST, options)) !== version) return;
  try {
    await aliases.set(project, model, LATEST, "", version, options);
  } catch (error) {
    // It has moved on to another version.
    if (!isDomainError(error, "PRECONDITION_FAILED")) throw error;
  }
}
