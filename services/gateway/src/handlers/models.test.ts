import { gatewayV1 } from "@parfocal/protocol";
import type { HandlerContext } from "@parfocal/runtime";
import { createMemoryStore, type ObjectStore } from "@parfocal/store";
import { describe, expect, it } from "vitest";
import { keys } from "../catalog/keys.ts";
import { createModelCatalog } from "../catalog/model-catalog.ts";
import { createGetModel, createListModels, createSetAlias } from "./models.ts";

const context = { signal: new AbortController().signal } as HandlerContext;

/** A store that counts what is asked of it, in total and at a time. */
function countedStore() {
  const counts = { gets: [] as string[], lists: 0, running: 0, most: 0 };
  const inner = createMemoryStore();
  const timed = async <T>(call: () => Promise<T>): Promise<T> => {
    counts.running += 1;
    counts.most = Math.max(counts.most, counts.running);
    try {
      await new Promise(setImmediate);
      return await call();
    } finally {
      counts.running -= 1;
    }
  };
  const store: ObjectStore = {
    ...inner,
    get: (key, options) => {
      counts.gets.push(key);
      return timed(() => inner.get(key, options));
    },
    list: (prefix, options) => {
      counts.lists += 1;
      return timed(() => inner.list(prefix, options));
    },
  };
  return { store, counts };
}

const nameOf = (model: string, version: string) => `projects/p/models/${model}/versions/${version}`;

/** Enters versions, and the aliases that point at them. */
async function enter(store: ObjectStore, model: string, aliasesOf: Readonly<Record<string, readonly string[]>>) {
  const put = (key: string, json: unknown) => store.put(key, Buffer.from(JSON.stringify(json)));
  for (const [version, aliases] of Object.entries(aliasesOf)) {
    await put(keys.modelIndex("p", model, version), { name: nameOf(model, version) });
    for (const alias of aliases) await put(keys.alias("p", model, alias), { version });
  }
}

/** Names and aliases that a listing gives. */
async function listed(store: ObjectStore, request: Partial<gatewayV1.ListModelsRequest>) {
  const list = createListModels({ models: createModelCatalog(store) });
  const { models } = await list(gatewayV1.ListModelsRequest.fromPartial({ parent: "projects/p", ...request }), context);
  return models.map(({ name, aliases }) => [name, aliases]);
}

describe("the aliases of models", () => {
  it("are told by listings, of a project and of a model", async () => {
    const { store, counts } = countedStore();
    // In the order of keys `m-a/` and `m.b/` come before `m/`.
    await enter(store, "m", { v1: ["production"], v2: ["latest", "candidate"], v3: [] });
    await enter(store, "m-a", { v1: ["latest"], undefined: [] });
    // A removed alias keeps its object.
    await store.put(keys.alias("p", "m-a", "gone"), Buffer.from('{"version":""}'));
    await enter(store, "m.b", { v1: ["production"] });
    await enter(store, "other", { v1: ["latest"] });
    const ofM = [
      [nameOf("m", "v1"), ["production"]],
      [nameOf("m", "v2"), ["candidate", "latest"]],
      [nameOf("m", "v3"), []],
    ];
    const ofAlike = [
      [nameOf("m-a", "undefined"), []],
      [nameOf("m-a", "v1"), ["latest"]],
      [nameOf("m.b", "v1"), ["production"]],
    ];
    expect(await listed(store, {})).toEqual([...ofAlike, ...ofM, [nameOf("other", "v1"), ["latest"]]]);
    expect(await listed(store, { parent: "projects/p/models/m" })).toEqual(ofM);
    expect(await listed(store, { parent: "projects/none" })).toEqual([]);
    counts.gets = [];
    expect(await listed(store, { pageSize: 3 })).toEqual(ofAlike);
    const read = counts.gets.filter((key) => key.includes("model-aliases"));
    const ofPage = [
      keys.alias("p", "m-a", "gone"),
      keys.alias("p", "m-a", "latest"),
      keys.alias("p", "m.b", "production"),
    ];
    expect(read.toSorted()).toEqual(ofPage);
  });

  it("cost a page of a thousand models one read each, few at a time", async () => {
    const { store, counts } = countedStore();
    for (let i = 0; i < 1000; i++) await enter(store, `m${i}`, { v1: ["latest", ...(i % 2 ? ["production"] : [])] });
    await enter(store, "z", { v1: ["latest"] });
    const models = await listed(store, { pageSize: 1000 });
    expect(models).toHaveLength(1000);
    expect(models.every(([, aliases]) => aliases?.includes("latest"))).toBe(true);
    const read = counts.gets.filter((key) => key.includes("model-aliases"));
    expect(read).toHaveLength(1500);
    expect(new Set(read).size).toBe(1500);
    // The page itself, and the aliases in pages of a thousand.
    expect(counts.lists).toBeLessThanOrEqual(3);
    expect(counts.most).toBeLessThanOrEqual(16);
  });

  it("are those with the one just set in the answer of SetAlias", async () => {
    const store = createMemoryStore();
    const models = createModelCatalog(store);
    await enter(store, "m", { v1: ["latest"], v2: ["candidate"] });
    const set = async (alias: string, version: string) => {
      const request = { name: `projects/p/models/m/aliases/${alias}`, version };
      return (await createSetAlias({ models })(gatewayV1.SetAliasRequest.fromPartial(request), context)).model;
    };
    expect(await set("candidate", nameOf("m", "v1"))).toMatchObject({
      name: nameOf("m", "v1"),
      aliases: ["candidate", "latest"],
    });
    // Once more: it points there already.
    expect((await set("candidate", nameOf("m", "v1")))?.aliases).toEqual(["candidate", "latest"]);
    const { model } = await createGetModel({ models })({ name: nameOf("m", "v1") }, context);
    expect(model?.aliases).toEqual(["candidate", "latest"]);
    expect(await set("candidate", "")).toBeUndefined();
  });

  it("are told by no read after the alias was moved, whose failure would hide that it was", async () => {
    const inner = createMemoryStore();
    await enter(inner, "m", { v1: ["latest"] });
    let isMoved = false;
    const store: ObjectStore = {
      ...inner,
      put: async (...call) => {
        const info = await inner.put(...call);
        isMoved = true;
        return info;
      },
      list: (...call) => (isMoved ? Promise.reject(new Error("the store is gone")) : inner.list(...call)),
    };
    const request = { name: "projects/p/models/m/aliases/a", version: nameOf("m", "v1"), expectedVersion: undefined };
    const { model } = await createSetAlias({ models: createModelCatalog(store) })(request, context);
    expect(model?.aliases).toEqual(["a", "latest"]);
  });
});
