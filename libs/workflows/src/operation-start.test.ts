import { createMemoryStore } from "@parfocal/store";
import { describe, expect, it } from "vitest";
import { listKeys, openTestDriver } from "./testing/test-driver.ts";

describe("starting an operation", () => {
  it("leaves nothing to resume when the request could not be written", async () => {
    const store = createMemoryStore();
    const failing = {
      ...store,
      put: (...args: Parameters<typeof store.put>) =>
        args[0].endsWith("request.json") ? Promise.reject(new Error("no")) : store.put(...args),
    };
    const first = await openTestDriver({ echo: async () => null }, { store: failing });
    await expect(first.start({ project: "p", kind: "echo", input: null })).rejects.toThrow("no");
    await first.close();
    const second = await openTestDriver({ echo: async () => null }, { store });
    expect((await second.list("p", { pageSize: 10 })).operations).toEqual([]);
    expect(await listKeys(store, "operations/.")).toEqual(["operations/.owner"]);
    await second.close();
  });
});
