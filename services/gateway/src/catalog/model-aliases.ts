import { mapBounded } from "@parfocal/errors";
import type { CallOptions, ObjectStore } from "@parfocal/store";
import { keys } from "./keys.ts";
import { CONCURRENT_READS } from "./pages.ts";

/** Aliases of models, as they were when they were read. */
export interface ModelAliases {
  /** Those that point at a version, in the order of their names. */
  pointingAt(model: string, version: string): readonly string[];
}

/**
 * Reads the aliases of some models of a project, each once, few at a time.
 *
 * What the keys of the models have in common is listed, not model after model: a page of a thousand models costs few listings.
 *
 * @param versionAt The version that the alias of this key points at; `undefined` when it points at none.
 */
export async function readModelAliases(
  store: ObjectStore,
  project: string,
  models: readonly string[],
  versionAt: (key: string) => Promise<string | undefined>,
  options: CallOptions,
): Promise<ModelAliases> {
  const folders = new Set(models.map((model) => keys.aliasPrefix(project, model)));
  const found = new Map<string, string[]>();
  for await (const listed of listPages(store, commonStart([...folders]), options)) {
    const wanted = listed.filter((key) => folders.has(folderOf(key)));
    const versions = await mapBounded(wanted, CONCURRENT_READS, versionAt);
    for (const [index, key] of wanted.entries()) {
      const version = versions[index];
      if (version === undefined) continue;
      const folder = folderOf(key);
      const pointing = found.get(folder + version) ?? [];
      pointing.push(key.slice(folder.length, -".json".length));
      found.set(folder + version, pointing);
    }
  }
  return {
    pointingAt: (model, version) => (found.get(keys.aliasPrefix(project, model) + version) ?? []).toSorted(),
  };
}

/** Pages of the keys that begin with `prefix`; none for `undefined`. */
async function* listPages(
  store: ObjectStore,
  prefix: string | undefined,
  options: CallOptions,
): AsyncGenerator<readonly string[]> {
  if (prefix === undefined) return;
  let pageToken: string | undefined;
  do {
    const page = await store.list(prefix, pageToken === undefined ? options : { ...options, pageToken });
    yield page.objects.map(({ key }) => key);
    pageToken = page.nextPageToken;
  } while (pageToken !== undefined);
}

/** The longest text that all of `texts` begin with; `undefined` without any. */
function commonStart(texts: readonly string[]): string | undefined {
  return texts.reduce<string | undefined>((common, text) => {
    if (common === undefined) return text;
    let length = 0;
    while (length < common.length && common[length] === text[length]) length++;
    return common.slice(0, length);
  }, undefined);
}

function folderOf(key: string): string {
  return key.slice(0, key.lastIndexOf("/") + 1);
}
