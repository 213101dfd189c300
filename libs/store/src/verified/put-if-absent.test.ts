import { describe, expect, it } from "vitest";
import { createMemoryStore } from "../memory/memory-store.ts";
import { putIfAbsent, sha256Hex } from "./put-if-absent.ts";

const MIB = 1024 * 1024;

describe("an object that lost some of its bytes", () => {
  it.each([
    ["one body", 3],
    ["a stream", 9 * MIB],
  ])("is replaced by whoever has its content, sent as %s", async (_how, sizeBytes) => {
    const store = createMemoryStore();
    const content = [new Uint8Array(sizeBytes - 1).fill(7), Uint8Array.of(1)];
    const digest = await sha256Hex(Buffer.concat(content));
    await store.put(`bags/${digest}`, new Uint8Array(1));
    expect(await putIfAbsent(store, "bags", content)).toMatchObject({ digest, sizeBytes, isNew: true });
    expect(await sha256Hex((await store.get(`bags/${digest}`)).bytes)).toBe(digest);
    expect(await putIfAbsent(store, "bags", content)).toMatchObject({ isNew: false });
  });
});
