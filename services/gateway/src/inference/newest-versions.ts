import { msFromTimestamp, parseResourceName } from "@parfocal/protocol";
import type { ModelCatalog } from "../catalog/model-catalog.ts";

/** Most versions that are told. */
const MAX_VERSIONS = 1000;
const PAGE_SIZE = 1000;

/**
 * Ids of the versions of a model in the order of their publication, the newest first, at most 1000. Ids do not tell when, and a copied
 * store's times neither, so all entries are read; the catalog keeps them in memory.
 */
export async function newestVersions(
  models: Pick<ModelCatalog, "list">,
  project: string,
  model: string,
  signal: AbortSignal,
): Promise<string[]> {
  const versions: { readonly id: string; readonly publishedMs: number }[] = [];
  let pageToken = "";
  do {
    const page = await models.list(project, model, { pageSize: PAGE_SIZE, pageToken, signal });
    for (const { name, createTime } of page.items) {
      const publishedMs = createTime === undefined ? 0 : msFromTimestamp(createTime);
      versions.push({ id: parseResourceName("modelVersion", name).version, publishedMs });
    }
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  versions.sort((a, b) => b.publishedMs - a.publishedMs);
  return versions.slice(0, MAX_VERSIONS).map(({ id }) => id);
}
