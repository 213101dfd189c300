import { createMemoryStore, type ObjectStore } from "@parfocal/store";
import { describe, expect, it } from "vitest";
import { createBagCatalog } from "./bag-catalog.ts";
import { createModelCatalog } from "./model-catalog.ts";
import { listEntries } from "./pages.ts";

const A = "projects/p/bag-index/";
const refusal = { code: "INVALID_ARGUMENT", details: { field: "page_token" } };

async function storeWith(...names: string[]): Promise<ObjectStore> {
  const store = createMemoryStore();
  for (const name of names) await store.put(name, Uint8Array.of(1));
  return store;
}

function list(store: ObjectStore, prefix: string, pageToken: string) {
  return listEntries(store, prefix, { pageSize: 1, pageToken }, async (key) => key);
}

describe("a page token", () => {
  it("goes on where the page before ended", async () => {
    const store = await storeWith(`${A}1`, `${A}2`, `${A}3`);
    const found: string[] = [];
    let pageToken = "";
    do {
      const page = await list(store, A, pageToken);
      found.push(...page.items);
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
    expect(found).toEqual([`${A}1`, `${A}2`, `${A}3`]);
  });

  it("is refused by another listing, of another project, kind or model", async () => {
    const others = ["projects/q/bag-index/", "projects/p/model-index/", "projects/p/model-index/m/"];
    const store = await storeWith(`${A}1`, `${A}2`, ...others.map((prefix) => `${prefix}x`));
    const { nextPageToken } = await list(store, A, "");
    for (const prefix of others) await expect(list(store, prefix, nextPageToken)).rejects.toMatchObject(refusal);
  });

  it("is refused by the catalogs, whose listing it is not", async () => {
    const names = ["1", "2"].flatMap((id) => [`${A}${id}.json`, `projects/p/model-index/m/${id}.json`]);
    const store = await storeWith(...names);
    await Promise.all(names.map((name) => store.put(name, Buffer.from('{"ref":{"digest":"","key":""}}'))));
    const [bags, models] = [createBagCatalog(store), createModelCatalog(store)];
    const first = { pageSize: 1, pageToken: "" };
    const ofBags = { pageSize: 1, pageToken: (await bags.list("p", first)).nextPageToken };
    const ofModel = { pageSize: 1, pageToken: (await models.list("p", "m", first)).nextPageToken };
    await expect(models.list("p", undefined, ofBags)).rejects.toMatchObject(refusal);
    await expect(models.list("p", undefined, ofModel)).rejects.toMatchObject(refusal);
    await expect(bags.list("q", ofBags)).rejects.toMatchObject(refusal);
    expect((await models.list("p", "m", ofModel)).items).toHaveLength(1);
  });

  it("is refused when no listing gave it, and never repeated", async () => {
    const store = await storeWith(`${A}1`, `${A}2`);
    const { nextPageToken } = await list(store, A, "");
    const encoded = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
    const [stored] = [(await store.list(A, { pageSize: 1 })).nextPageToken ?? ""];
    const forged = ["&&&", "PATIENT", stored, `${nextPageToken}=`, ` ${nextPageToken}`];
    forged.push(encoded([A, "&&&"]), encoded([A]), encoded([A, 1]), encoded({ 0: A, 1: stored }), encoded(null));
    for (const token of forged) {
      const answer = list(store, A, token);
      await expect(answer, token).rejects.toMatchObject(refusal);
      await expect(answer).rejects.not.toThrow(token);
    }
  });
});
