import { DomainError } from "@parfocal/errors";
import { gatewayV1 } from "@parfocal/protocol";
import { createMemoryStore, type ObjectStore } from "@parfocal/store";
import { describe, expect, it } from "vitest";
import { createDeleteModel } from "../handlers/models.ts";
import { MAX_AGE_MS } from "./entry-cache.ts";
import { keys } from "./keys.ts";
import { createModelCatalog } from "./model-catalog.ts";

const FOLDER = "projects/p/models/m/versions";
const V1 = { kind: "version", version: "v1" } as const;
const NAME = `${FOLDER}/v1`;

/** Puts a package of three files for each of these versions. */
async function putPackages(store: ObjectStore, ...versions: string[]): Promise<void> {
  for (const version of versions) {
    for (const file of ["weights.safetensors", "aggregate.onnx", "manifest.json"]) {
      await store.put(`${FOLDER}/${version}/${file}`, Uint8Array.of(1));
    }
  }
}

/** A store with a published version. */
async function storeWithModel(version = "v1"): Promise<ObjectStore> {
  const store = createMemoryStore();
  await putPackages(store, version);
  await publish(store, version);
  return store;
}

function publish(store: ObjectStore, version: string): Promise<void> {
  const entry = gatewayV1.Model.fromPartial({ name: `${FOLDER}/${version}` });
  return createModelCatalog(store).publish("p", "m", version, entry);
}

/** Calls `DeleteModel`. */
function deleteModel(store: ObjectStore, name = NAME) {
  const context = { signal: new AbortController().signal } as Parameters<ReturnType<typeof createDeleteModel>>[1];
  return createDeleteModel({ models: createModelCatalog(store) })({ name }, context);
}

async function keysOf(store: ObjectStore, prefix: string): Promise<string[]> {
  return (await store.list(prefix)).objects.map(({ key }) => key);
}

describe("deleting a model", () => {
  it.each(["list", "delete"] as const)(
    "is finished by a second call when a %s of the package failed",
    async (method) => {
      const store = await storeWithModel();
      const isOfPackage = (key: string) => key.startsWith(`${FOLDER}/`);
      const call = store[method] as (key: string, ...rest: unknown[]) => Promise<unknown>;
      const failing = async (key: string, ...rest: unknown[]) => {
        if (isOfPackage(key)) throw new Error("the store is gone");
        return call(key, ...rest);
      };
      await expect(deleteModel({ ...store, [method]: failing } as ObjectStore)).rejects.toThrow("gone");
      expect(await keysOf(store, `${FOLDER}/`)).toHaveLength(3);
      await deleteModel(store);
      expect(await keysOf(store, "projects/p/model")).toEqual([keys.alias("p", "m", "latest")]);
    },
  );

  it("says NOT_FOUND when neither entry nor package is there, so also the second time", async () => {
    const store = await storeWithModel();
    await deleteModel(store);
    await expect(deleteModel(store)).rejects.toMatchObject({ code: "NOT_FOUND" });
    await expect(deleteModel(store, `${FOLDER}/never`)).rejects.toMatchObject({ code: "NOT_FOUND" });
  });

  it("touches no other version, not even one whose name begins alike", async () => {
    const store = await storeWithModel("v1");
    await putPackages(store, "v10", "v1-r1-f1");
    await publish(store, "v10");
    await deleteModel(store);
    expect(await keysOf(store, `${FOLDER}/`)).toHaveLength(6);
    const models = createModelCatalog(store);
    expect((await models.get("p", "m", { kind: "default" })).name).toBe(`${FOLDER}/v10`);
    await expect(models.get("p", "m", V1)).rejects.toMatchObject({ code: "NOT_FOUND" });
  });

  it("is refused while an alias points at it, though its entry is gone", async () => {
    const store = await storeWithModel();
    await createModelCatalog(store).aliases.set("p", "m", "production", "v1", undefined);
    await store.delete(keys.modelIndex("p", "m", "v1"));
    await expect(deleteModel(store)).rejects.toMatchObject({ code: "PRECONDITION_FAILED" });
    expect(await keysOf(store, `${FOLDER}/`)).toHaveLength(3);
  });

  it("is refused for an alias behind a thousand that were removed", async () => {
    const store = await storeWithModel();
    const removed = new TextEncoder().encode(JSON.stringify({ version: "" }));
    for (let i = 0; i < 1001; i++) await store.put(keys.alias("p", "m", `a${i}`), removed);
    await createModelCatalog(store).aliases.set("p", "m", "production", "v1", undefined);
    await expect(deleteModel(store)).rejects.toMatchObject({ code: "PRECONDITION_FAILED" });
  });

  it("drops latest, also when only that was left of an earlier deletion", async () => {
    const store = await storeWithModel();
    const { aliases } = createModelCatalog(store);
    await deleteModel(store);
    expect(await aliases.get("p", "m", "latest")).toBeUndefined();
    await aliases.set("p", "m", "latest", "v1", undefined);
    await expect(deleteModel(store)).rejects.toMatchObject({ code: "NOT_FOUND" });
    expect(await aliases.get("p", "m", "latest")).toBeUndefined();
  });
});

describe("reading a model while it is deleted", () => {
  it("gives it no more once the deletion is done, though a read was under way", async () => {
    const inner = await storeWithModel();
    const { promise: held, resolve: release } = Promise.withResolvers<void>();
    const slow: ObjectStore = {
      ...inner,
      get: async (key, options) => {
        const object = await inner.get(key, options);
        if (key === keys.modelIndex("p", "m", "v1")) await held;
        return object;
      },
    };
    const models = createModelCatalog(slow);
    const late = models.get("p", "m", V1);
    const deletion = models.delete("p", "m", "v1");
    // Settling reads no entry that is gone, so the deletion ends while the read is held.
    await deletion;
    release();
    expect((await late).name).toBe(NAME);
    await expect(models.get("p", "m", V1)).rejects.toMatchObject({ code: "NOT_FOUND" });
  });

  it("gives what another gateway deleted for a bounded time", async () => {
    const store = await storeWithModel();
    const clock = { ms: 0 };
    const ours = createModelCatalog(store, { nowMs: () => clock.ms });
    await ours.get("p", "m", V1);
    await deleteModel(store);
    expect((await ours.get("p", "m", V1)).name).toBe(NAME);
    clock.ms = MAX_AGE_MS + 1;
    await expect(ours.get("p", "m", V1)).rejects.toMatchObject({ code: "NOT_FOUND" });
  });
});

describe("publishing a model on a store that refuses", () => {
  /** Refuses to write objects whose key begins so. */
  const refusing = (store: ObjectStore, prefix: string): ObjectStore => ({
    ...store,
    put: (key, ...rest) => {
      if (key.startsWith(prefix)) throw new DomainError("FORBIDDEN", "the store answered 403 ExpiredToken");
      return store.put(key, ...rest);
    },
  });

  it("is to be tried again once the version can be used, and moves latest then", async () => {
    const store = createMemoryStore();
    await putPackages(store, "v1");
    const alias = keys.alias("p", "m", "latest");
    await expect(publish(refusing(store, alias), "v1")).rejects.toMatchObject({
      code: "UNREACHABLE",
      message: 'the version is entered, but alias "latest" is not: the store answered 403 ExpiredToken',
    });
    await publish(store, "v1");
    expect((await createModelCatalog(store).get("p", "m", { kind: "default" })).name).toBe(NAME);
  });

  it("is to be tried again also where the next try is refused at its first request", async () => {
    const inner = createMemoryStore();
    await putPackages(inner, "v1");
    let prefix = keys.alias("p", "m", "latest");
    const put: ObjectStore["put"] = (key, ...rest) => refusing(inner, prefix).put(key, ...rest);
    const models = createModelCatalog({ ...inner, put });
    const entry = gatewayV1.Model.fromPartial({ name: NAME });
    await expect(models.publish("p", "m", "v1", entry)).rejects.toMatchObject({ code: "UNREACHABLE" });
    prefix = "";
    await expect(models.publish("p", "m", "v1", entry)).rejects.toMatchObject({ code: "UNREACHABLE" });
    prefix = "nothing";
    await models.publish("p", "m", "v1", entry);
    expect((await models.get("p", "m", { kind: "default" })).name).toBe(NAME);
  });

  it("is refused as the store refuses it while nothing is entered", async () => {
    const store = createMemoryStore();
    await putPackages(store, "v1");
    const refused = publish(refusing(store, keys.modelIndex("p", "m", "v1")), "v1");
    await expect(refused).rejects.toMatchObject({ code: "FORBIDDEN" });
    expect(await keysOf(store, "projects/p/model-")).toEqual([]);
  });
});

describe("publishing a model while it is deleted", () => {
  it("leaves neither entry nor latest when the package was deleted before it was entered", async () => {
    const store = createMemoryStore();
    await expect(publish(store, "v1")).rejects.toMatchObject({ code: "NOT_FOUND" });
    await expect(createModelCatalog(store).get("p", "m", { kind: "default" })).rejects.toMatchObject({
      code: "NOT_FOUND",
    });
    expect(await keysOf(store, "projects/p/model-index/")).toEqual([]);
    expect(await createModelCatalog(store).aliases.get("p", "m", "latest")).toBeUndefined();
  });

  it("leaves no entry that was written between the deletions of entry and package", async () => {
    const inner = await storeWithModel();
    let isPublished = false;
    const store: ObjectStore = {
      ...inner,
      list: async (prefix, options) => {
        if (!isPublished && prefix.startsWith(`${FOLDER}/`)) {
          isPublished = true;
          await publish(inner, "v1");
        }
        return inner.list(prefix, options);
      },
    };
    await deleteModel(store);
    expect(await keysOf(inner, "projects/p/model")).toEqual([keys.alias("p", "m", "latest")]);
    expect(await createModelCatalog(inner).aliases.get("p", "m", "latest")).toBeUndefined();
  });
});
