import { beforeEach, describe, expect, it } from "vitest";
import { createMemoryStore } from "./memory/memory-store.ts";
import type { ObjectStore } from "./object-store.ts";
import { rememberStarts } from "./remember-starts.ts";

const START = { range: { start: 0, end: 4 } };
const bytesOf = (text: string) => new TextEncoder().encode(text);
const textOf = ({ bytes }: { readonly bytes: Uint8Array }) => new TextDecoder().decode(bytes);

let calls: string[];
let inner: ObjectStore;

beforeEach(async () => {
  const memory = createMemoryStore();
  calls = [];
  inner = {
    ...memory,
    get(key, options) {
      calls.push("get");
      return memory.get(key, options);
    },
    head(key, options) {
      calls.push("head");
      return memory.head(key, options);
    },
  };
  await memory.put("a", bytesOf("headbody"));
});

describe("a start that was read", () => {
  it("is given again without reading, as long as the object is that version", async () => {
    const store = rememberStarts(inner);
    const first = await store.get("a", START);
    const second = await store.get("a", START);
    expect(calls).toEqual(["get", "head"]);
    expect(textOf(second)).toBe("head");
    expect(second).toEqual(first);
    second.bytes.fill(0);
    expect(textOf(await store.get("a", START))).toBe("head");
  });

  it("is read anew of an object that was replaced", async () => {
    const store = rememberStarts(inner);
    await store.get("a", START);
    await inner.put("a", bytesOf("newsbody"));
    expect(textOf(await store.get("a", START))).toBe("news");
    expect(calls).toEqual(["get", "head", "get"]);
  });

  it("is NOT_FOUND of an object that was deleted", async () => {
    const store = rememberStarts(inner);
    await store.get("a", START);
    await inner.delete("a");
    await expect(store.get("a", START)).rejects.toMatchObject({ code: "NOT_FOUND" });
  });

  it("honours ifMatch", async () => {
    const store = rememberStarts(inner);
    const { etag } = await store.get("a", START);
    expect(textOf(await store.get("a", { ...START, ifMatch: etag }))).toBe("head");
    await expect(store.get("a", { ...START, ifMatch: "another" })).rejects.toMatchObject({
      code: "PRECONDITION_FAILED",
    });
  });

  it("is kept of as many objects as it is told, those read last", async () => {
    await inner.put("b", bytesOf("othertext"));
    const store = rememberStarts(inner, { capacity: 1 });
    for (const key of ["a", "b", "b", "a"]) await store.get(key, START);
    expect(calls).toEqual(["get", "get", "head", "get"]);
  });
});

it("reads whole objects, other and longer ranges as ever", async () => {
  const store = rememberStarts(inner, { maxBytes: 4 });
  for (const options of [{}, { range: { start: 0, end: 5 } }, { range: { start: 1, end: 4 } }]) {
    for (let i = 0; i < 2; i += 1) await store.get("a", options);
  }
  await store.get("a", START);
  await store.get("a", { range: { start: 0, end: 3 } });
  expect(calls).toEqual(Array.from({ length: 8 }, () => "get"));
});
