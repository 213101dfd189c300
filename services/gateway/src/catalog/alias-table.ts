import { DomainError, isDomainError } from "@parfocal/errors";
import type { CallOptions, ObjectStore, PutOptions } from "@parfocal/store";
import { readJson, writeJson } from "./json-objects.ts";
import { keys } from "./keys.ts";
import { type ModelAliases, readModelAliases } from "./model-aliases.ts";

/** The alias that always follows the newest version; clients read it but cannot set it. */
export const LATEST = "latest";

/** Names that move between the versions of a model, each a small object changed by compare-and-swap. */
export interface AliasTable {
  /** The version it points at; `undefined` when it is not set. */
  get(project: string, model: string, alias: string, options?: CallOptions): Promise<string | undefined>;
  /**
   * Points it at `version` (empty: removes it), if `expected` is absent or where it points now.
   *
   * @throws {DomainError} `PRECONDITION_FAILED` when it points elsewhere, `THROTTLED` when others keep winning the race.
   */
  set(
    project: string,
    model: string,
    alias: string,
    version: string,
    expected: string | undefined,
    options?: CallOptions,
  ): Promise<void>;
  /** The aliases that point at a version, in the order of their names. */
  pointingAt(project: string, model: string, version: string, options?: CallOptions): Promise<readonly string[]>;
  /** The aliases of some models of a project, see {@link readModelAliases}. */
  ofModels(project: string, models: readonly string[], options?: CallOptions): Promise<ModelAliases>;
}

/** Swaps tried before giving up: each loss means somebody else's swap succeeded. */
const MAX_SWAPS = 8;

interface Pointer {
  /** Empty once removed: a removed alias keeps its object, so that every change is a compare-and-swap. */
  readonly version: string;
}

/** The alias table of a store. */
export function createAliasTable(store: ObjectStore): AliasTable {
  const read = (key: string, options: CallOptions) => readJson(store, key, parsePointer, options);

  /** One compare-and-swap; `false` when somebody else's came first. */
  const swap = async (key: string, version: string, expected: string | undefined, options: CallOptions) => {
    const now = await read(key, options);
    const current = now?.value.version ?? "";
    if (expected !== undefined && expected !== current) {
      throw new DomainError("PRECONDITION_FAILED", `the alias points at "${current}", not at "${expected}"`);
    }
    if (current === version) return true;
    const condition = now === undefined ? ({ ifNoneMatch: "*" } as const) : { ifMatch: now.etag };
    return tryWrite(store, key, { version }, { ...options, ...condition });
  };

  const versionAt = async (key: string, options: CallOptions) => {
    const version = (await read(key, options))?.value.version;
    return version === "" ? undefined : version;
  };
  const ofModels = (project: string, models: readonly string[], options: CallOptions = {}) =>
    readModelAliases(store, project, models, (key) => versionAt(key, options), options);

  return {
    get: (project, model, alias, options = {}) => versionAt(keys.alias(project, model, alias), options),
    async set(project, model, alias, version, expected, options = {}) {
      const key = keys.alias(project, model, alias);
      for (let attempt = 0; attempt < MAX_SWAPS; attempt++) {
        if (await swap(key, version, expected, options)) return;
      }
      throw new DomainError("THROTTLED", `the alias was moved by others ${MAX_SWAPS} times in a row`);
    },
    async pointingAt(project, model, version, options) {
      return (await ofModels(project, [model], options)).pointingAt(model, version);
    },
    ofModels,
  };
}

async function tryWrite(store: ObjectStore, key: string, pointer: Pointer, options: PutOptions): Promise<boolean> {
  try {
    await writeJson(store, key, pointer, options);
    return true;
  } catch (error) {
    if (isDomainError(error, "PRECONDITION_FAILED")) return false;
    throw error;
  }
}

function parsePointer(json: unknown): Pointer {
  const version = (json as Partial<Pointer>).version;
  if (typeof version !== "string") throw new TypeError("not an alias");
  return { version };
}
