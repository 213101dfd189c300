import { createMemoryStore } from "@parfocal/store";
import type { OperationState, WorkflowDriver } from "@parfocal/workflows";
import { describe, expect, it } from "vitest";
import { keys } from "./catalog/keys.ts";
import { expireUploads } from "./expiry.ts";

const NONE_OPEN: Pick<WorkflowDriver, "list"> = { list: async () => ({ operations: [] }) };

describe("expireUploads", () => {
  it("deletes the uploads of every project that are older, over all pages, and nothing else", async () => {
    const store = createMemoryStore();
    const uploads = Array.from({ length: 1200 }, (_, i) => keys.upload(`p${i % 3}`, `u${i}`));
    for (const key of [...uploads, keys.bagIndex("p1", "x")]) await store.put(key, Uint8Array.of(1));
    expect(await expireUploads({ store, operations: NONE_OPEN }, 0)).toBe(0);
    expect(await expireUploads({ store, operations: NONE_OPEN }, Date.now() + 1)).toBe(1200);
    expect((await store.list("")).objects.map(({ key }) => key)).toEqual([keys.bagIndex("p1", "x")]);
  });

  it("keeps uploads of which the store does not say when they were made", async () => {
    const store = createMemoryStore();
    await store.put(keys.upload("p", "u"), Uint8Array.of(1));
    const { objects } = await store.list("");
    const timeless = objects.map((object) => ({ ...object, lastModifiedMs: 0 }));
    const told = { ...store, list: async () => ({ objects: timeless }) };
    expect(await expireUploads({ store: told, operations: NONE_OPEN }, Date.now() + 1)).toBe(0);
    expect((await store.list("")).objects).toHaveLength(1);
  });

  it("keeps the uploads of a project in which a batch or an import still waits for its turn", async () => {
    const store = createMemoryStore();
    for (const project of ["waiting", "idle"]) await store.put(keys.upload(project, "u"), Uint8Array.of(1));
    const asked: unknown[] = [];
    const operations: Pick<WorkflowDriver, "list"> = {
      async list(project, page) {
        asked.push([project, page.kind, page.isDone]);
        const isWaiting = project === "waiting" && page.kind === "import-model";
        return { operations: isWaiting ? [{} as OperationState] : [] };
      },
    };
    expect(await expireUploads({ store, operations }, Date.now() + 1)).toBe(1);
    expect((await store.list("")).objects.map(({ key }) => key)).toEqual([keys.upload("waiting", "u")]);
    expect(asked).toContainEqual(["waiting", "batch", false]);
  });
});
