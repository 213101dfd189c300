import { createHash } from "node:crypto";
import type { ObjectStore } from "@parfocal/store";

/** What hangs together in a store, and what does not. */
export interface StoreAudit {
  /** Names of bags that the catalogs know. */
  readonly bags: readonly string[];
  /** Names of model versions that the catalogs know. */
  readonly versions: readonly string[];
  /** Sentences on entries that point at nothing, or at something else. */
  readonly problems: readonly string[];
  /** Objects that should live for one call only. */
  readonly leftovers: readonly string[];
}

interface BagEntry {
  readonly ref: { readonly key: string; readonly digest: string; readonly sizeBytes: number };
}

interface ModelEntry {
  readonly name: string;
  readonly reference: { readonly manifest: { readonly uri: string; readonly sha256: string } };
}

interface Manifest {
  readonly weights: PackageFile;
  readonly graphs: Readonly<Record<string, PackageFile>>;
}

interface PackageFile {
  readonly path: string;
  readonly digest: string;
}

/**
 * Reads everything that a gateway published and follows every reference: each bag and each file of each model package must be there
 * with the digest that its entry tells, and each alias must point at a version.
 */
export async function auditStore(store: ObjectStore): Promise<StoreAudit> {
  const keys = await allKeys(store);
  const problems: string[] = [];
  const digestOf = async (key: string) =>
    createHash("sha256")
      .update((await store.get(key)).bytes)
      .digest("hex");
  const expectDigest = async (what: string, key: string, digest: string) => {
    const found = keys.has(key) ? await digestOf(key) : "nothing";
    if (found !== digest) problems.push(`${what} points at ${found}, not at ${digest}`);
  };
  const bags: string[] = [];
  const versions: string[] = [];
  for (const key of keys) {
    const [, project, collection, model] = key.split("/");
    if (collection === "bag-index") {
      const { ref } = await readJson<BagEntry>(store, key);
      bags.push(`projects/${project}/bags/${ref.digest}`);
      await expectDigest(`bag entry ${key}`, ref.key, ref.digest);
    } else if (collection === "model-index") {
      const { name, reference } = await readJson<ModelEntry>(store, key);
      versions.push(name);
      const manifestKey = reference.manifest.uri.slice(store.rootUri.length + 1);
      await expectDigest(`model entry ${key}`, manifestKey, reference.manifest.sha256);
      if (!keys.has(manifestKey)) continue;
      const { weights, graphs } = await readJson<Manifest>(store, manifestKey);
      const folder = manifestKey.slice(0, manifestKey.lastIndexOf("/"));
      for (const { path, digest } of [weights, ...Object.values(graphs)]) {
        await expectDigest(`manifest ${manifestKey}`, `${folder}/${path}`, digest);
      }
    } else if (collection === "model-aliases") {
      const { version } = await readJson<{ readonly version: string }>(store, key);
      if (version !== "" && !keys.has(`projects/${project}/model-index/${model}/${version}.json`)) {
        problems.push(`alias ${key} points at no version`);
      }
    }
  }
  return { bags, versions, problems, leftovers: [...keys].filter((key) => key.startsWith("uploads/")) };
}

async function allKeys(store: ObjectStore): Promise<Set<string>> {
  const keys = new Set<string>();
  let pageToken: string | undefined;
  do {
    const page = await store.list("", pageToken === undefined ? {} : { pageToken });
    for (const { key } of page.objects) keys.add(key);
    pageToken = page.nextPageToken;
  } while (pageToken !== undefined);
  return keys;
}

async function readJson<T>(store: ObjectStore, key: string): Promise<T> {
  return JSON.parse(new TextDecoder().decode((await store.get(key)).bytes)) as T;
}
