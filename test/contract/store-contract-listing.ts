import type { ObjectInfo, ObjectStore } from "@parfocal/store";
import { describe, expect, it } from "vitest";
import type { GetFixture, StoreTraits } from "./store-contract.ts";
import { bytesOf, expectCode, keysTogether, listedKeys } from "./store-contract-tools.ts";

/** Listing: order, prefixes, pages. */
export function describeListing(getFixture: GetFixture, traits: StoreTraits): void {
  describe("listing", () => {
    it("lists in the order of UTF-8 bytes, folders and files mixed", async () => {
      const { store } = getFixture();
      const mixed = ["a", "a-b", "a.b", "a/b", "a/b/c", "a/b.c", "aa", "a b", "B", "a\uff5e", "a😀", "a~", "é"];
      const keys = keysTogether(mixed, traits);
      for (const key of keys) await store.put(`order/${key}`, bytesOf(key));
      const { objects } = await store.list("order/");
      const expected = listedKeys(keys, traits).map((key) => `order/${key}`);
      expect(objects.map(({ key }) => key)).toEqual(expected);
    });

    it("takes the prefix as a plain string", async () => {
      const { store } = getFixture();
      for (const key of ["pre/ab/c", "pre/abc", "pre/b", "pre/a/x"]) await store.put(key, bytesOf(key));
      expect(await keysOf(store, "pre/ab")).toEqual(["pre/ab/c", "pre/abc"]);
      expect(await keysOf(store, "pre/a")).toEqual(["pre/a/x", "pre/ab/c", "pre/abc"]);
      expect(await keysOf(store, "pre/ab/")).toEqual(["pre/ab/c"]);
      expect(await keysOf(store, "pre/zzz")).toEqual([]);
      expect((await keysOf(store, "")).length).toBeGreaterThanOrEqual(5);
    });

    it("gives more than 1000 keys in pages, each once", async () => {
      const { store } = getFixture();
      const keys = Array.from({ length: 1203 }, (_, index) => `page/${index % 7}/${String(index).padStart(5, "0")}`);
      for (let at = 0; at < keys.length; at += 50) {
        await Promise.all(keys.slice(at, at + 50).map((key) => store.put(key, bytesOf(key))));
      }
      const sorted = keys.sort();
      const first = await store.list("page/");
      expect(first.objects).toHaveLength(1000);
      const second = await store.list("page/", tokenOf(first.nextPageToken));
      expect(second.nextPageToken).toBeUndefined();
      expect([...first.objects, ...second.objects].map(({ key }) => key)).toEqual(sorted);
      expect(await keysOf(store, "page/", 101)).toEqual(sorted);
    });

    it("ends exactly where the last page is full", async () => {
      const { store } = getFixture();
      for (const key of ["full/a", "full/b", "full/c/d", "full/e"]) await store.put(key, bytesOf(key));
      const first = await store.list("full/", { pageSize: 2 });
      const second = await store.list("full/", { pageSize: 2, ...tokenOf(first.nextPageToken) });
      expect(second.objects.map(({ key }) => key)).toEqual(["full/c/d", "full/e"]);
      expect(second.nextPageToken).toBeUndefined();
    });

    it("gives size and tag as head does", async () => {
      const { store } = getFixture();
      await store.put("info/x", bytesOf("12345"));
      const [object] = (await store.list("info/")).objects;
      expect(object).toMatchObject({ key: "info/x", sizeBytes: 5, etag: (await store.head("info/x")).etag });
    });

    it("refuses page sizes outside 1 to 1000, foreign tokens and impossible prefixes", async () => {
      const { store } = getFixture();
      for (const pageSize of [0, 1001, 1.5]) await expectCode(store.list("", { pageSize }), "INVALID_ARGUMENT");
      if (traits.refusesForeignTokens) {
        await expectCode(store.list("", { pageToken: "&&&" }), "INVALID_ARGUMENT");
      }
      await expectCode(store.list("a\u0000"), "INVALID_ARGUMENT");
      await expectCode(store.list("", { signal: AbortSignal.abort() }), "CANCELLED");
    });
  });
}

async function keysOf(store: ObjectStore, prefix: string, pageSize = 1000): Promise<string[]> {
  const objects: ObjectInfo[] = [];
  let pageToken: string | undefined;
  do {
    const page = await store.list(prefix, { pageSize, ...tokenOf(pageToken) });
    objects.push(...page.objects);
    pageToken = page.nextPageToken;
  } while (pageToken !== undefined);
  return objects.map(({ key }) => key);
}

function tokenOf(pageToken: string | undefined): { pageToken?: string } {
  return pageToken === undefined ? {} : { pageToken };
}
