import { createMemoryStore } from "@parfocal/store";
import { describe, expect, it } from "vitest";
import { keys } from "./catalog/keys.ts";
import { expireUploads } from "./expiry.ts";

describe("expireUploads", () => {
  it("deletes the uploads of every project that are older, over all pages, and nothing else", async () => {
    const store = createMemoryStore();
    const uploads = Array.from({ length: 1200 }, (_, i) => keys.upload(`p${i % 3}`, `u${i}`));
    for (const key of [...uploads, keys.bagIndex("p1", "x")]) await store.put(key, Uint8Array.of(1));
    expect(await expireUploads(store, 0)).toBe(0);
    expect(await expireUploads(store, Date.now() + 1)).toBe(1200);
    expect((await store.list("")).objects.map(({ key }) => key)).toEqual([keys.bagIndex("p1", "x")]);
  });

  it("keeps uploads of which the store does not say when they were made", async () => {
    const store = createMemoryStore();
    await store.put(keys.upload("p", "u"), Uint8Array.of(1));
    const { objects } = await store.list("");
    const timeless = objects.map((object) => ({ ...object, lastModifiedMs: 0 }));
    expect(await expireUploads({ ...store, list: async () => ({ objects: timeless }) }, Date.now() + 1)).toBe(0);
    expect((await store.list("")).objects).toHaveLength(1);
  });
});
