import { createHash } from "node:crypto";
import { isDomainError } from "@parfocal/errors";
import { createMemoryStore, type ObjectStore } from "@parfocal/store";
import { describe, expect, it } from "vitest";
import type { Bag } from "./bag.ts";
import { bagRefFromKey, readBag, readBagHeader, writeBag } from "./bag-store.ts";
import { encodeBag } from "./encode-bag.ts";
import { parseBag } from "./parse-bag.ts";
import { readBagCoords } from "./read-coords.ts";
import { encodeSafetensors } from "./safetensors/encode-safetensors.ts";

/** A memory store that counts the bytes read from it. */
function createCountingStore(): { store: ObjectStore; read: { nBytes: number } } {
  const memory = createMemoryStore();
  const read = { nBytes: 0 };
  const get: ObjectStore["get"] = async (key, options) => {
    const found = await memory.get(key, options);
    read.nBytes += found.bytes.length;
    return found;
  };
  return { store: { ...memory, get }, read };
}

const bagOf = (fields: Partial<Bag> = {}): Bag => ({
  n: 3,
  d: 2,
  features: { dtype: "F16", data: Uint16Array.of(1, 2, 3, 4, 5, 0x3c00) },
  coords: Int32Array.of(0, 0, 256, 0, -256, 512),
  level: Uint8Array.of(0, 1, 2),
  metadata: { slideId: "s 1", encoder: "uni_v2", tilePx: 256, mpp: 0.5, level0StridePx: 512.25, sourceLabel: "1" },
  ...fields,
});

async function codeOf(run: () => unknown): Promise<string> {
  try {
    await run();
  } catch (error) {
    if (isDomainError(error)) return error.code;
    throw error;
  }
  return "none";
}

describe("the canonical bag", () => {
  it("comes back as it was written, whole and by its key", async () => {
    const { store } = createCountingStore();
    const bag = bagOf();
    const ref = await writeBag(store, "bags/", bag);
    expect(await readBag(store, ref)).toEqual(bag);
    expect(await bagRefFromKey(store, ref.key)).toEqual(ref);
    expect(ref.key).toBe(`bags/${ref.digest}.safetensors`);
  });

  it("is written once however often it is imported", async () => {
    const { store } = createCountingStore();
    const refs = await Promise.all([1, 2, 3].map(() => writeBag(store, "bags/", bagOf())));
    expect(new Set(refs.map((ref) => ref.digest)).size).toBe(1);
    expect((await store.list("")).objects).toHaveLength(1);
  });

  it("is streamed without changing a byte when it is large", async () => {
    const { store } = createCountingStore();
    const data = Float32Array.from({ length: 2500 * 1024 }, (_, index) => index % 1000);
    const bag: Bag = { n: 2500, d: 1024, features: { dtype: "F32", data }, metadata: {} };
    const ref = await writeBag(store, "", bag);
    expect((await store.head(ref.key)).sizeBytes).toBe(ref.sizeBytes);
    expect((await readBag(store, ref)).features.data).toEqual(data);
  });

  it("tells where its features are by a small read", async () => {
    const { store, read } = createCountingStore();
    const data = new Float32Array(5000 * 8).fill(0.5);
    const ref = await writeBag(store, "", { n: 5000, d: 8, features: { dtype: "F32", data }, metadata: {} });
    const header = await readBagHeader(store, ref);
    expect(read.nBytes).toBeLessThanOrEqual(2048);
    expect(header.features.offsetBytes % 4).toBe(0);
    const range = { start: header.features.offsetBytes, end: header.sizeBytes };
    const { bytes } = await store.get(ref.key, { range, ifMatch: header.etag });
    expect(new Float32Array(new Uint8Array(bytes).buffer)).toEqual(data);
  });

  it("gives its coordinates alone", async () => {
    const { store, read } = createCountingStore();
    const bag = bagOf();
    const ref = await writeBag(store, "", bag);
    expect(await readBagCoords(store, ref)).toEqual(bag.coords);
    expect(read.nBytes).toBeLessThanOrEqual(2048 + 24);
    const { coords: _, ...bare } = bag;
    expect(await readBagCoords(store, await writeBag(store, "", bare))).toBeUndefined();
  });

  it("reads a header longer than the first guess, as of a bag written before its texts were bounded", async () => {
    const { store } = createCountingStore();
    const data = new Uint8Array(4);
    const metadata = { format: "parfocal-bag/1", slide_id: "x".repeat(5000) };
    const bytes = encodeSafetensors(new Map([["features", { dtype: "F32", shape: [1, 1], data } as const]]), metadata);
    const key = `${createHash("sha256").update(bytes).digest("hex")}.safetensors`;
    await store.put(key, bytes);
    const ref = await bagRefFromKey(store, key);
    expect((await readBagHeader(store, ref)).metadata.slideId).toHaveLength(5000);
    expect((await readBag(store, ref)).metadata.slideId).toHaveLength(5000);
  });

  it("is refused when a byte changed, when it was cut and when the reference describes another bag", async () => {
    const { store } = createCountingStore();
    const ref = await writeBag(store, "", bagOf());
    const good = new Uint8Array((await store.get(ref.key)).bytes);
    await store.put(ref.key, good.with(good.length - 1, 9));
    expect(await codeOf(() => readBag(store, ref))).toBe("CORRUPT");
    await store.put(ref.key, good.slice(0, -1));
    expect(await codeOf(() => readBagHeader(store, ref))).toBe("TRUNCATED");
    await store.put(ref.key, good);
    expect(await codeOf(() => readBag(store, { ...ref, n: 4 }))).toBe("INVALID_ARGUMENT");
    expect(await codeOf(() => readBagHeader(store, { ...ref, hasCoords: false }))).toBe("INVALID_ARGUMENT");
    expect(await codeOf(() => bagRefFromKey(store, "bags/nope.safetensors"))).toBe("INVALID_ARGUMENT");
  });

  it("stops when the caller cancels", async () => {
    const { store } = createCountingStore();
    expect(await codeOf(() => writeBag(store, "", bagOf(), { signal: AbortSignal.abort() }))).toBe("CANCELLED");
  });

  it.each([
    ["no tiles", bagOf({ n: 0, features: { dtype: "F16", data: new Uint16Array() } }), "EMPTY_BAG"],
    ["too many tiles", bagOf({ n: 1_000_001 }), "SHAPE_MISMATCH"],
    ["no features", bagOf({ d: 0 }), "SHAPE_MISMATCH"],
    ["coords of another length", bagOf({ coords: new Int32Array(4) }), "SHAPE_MISMATCH"],
    ["levels of another length", bagOf({ level: new Uint8Array(4) }), "SHAPE_MISMATCH"],
    ["an infinite half", bagOf({ features: { dtype: "F16", data: new Uint16Array(6).fill(0x7c00) } }), "NON_FINITE"],
    ["a negative mpp", bagOf({ metadata: { mpp: -1 } }), "INVALID_ARGUMENT"],
  ])("cannot be made with %s", async (_name, bag, code) => {
    expect(await codeOf(() => encodeBag(bag))).toBe(code);
  });

  it("is not read without its format mark", async () => {
    const text = new TextDecoder("latin1").decode(encodeBag(bagOf()));
    const bytes = Uint8Array.from(text.replace("parfocal-bag/1", "parfocal-bag/9"), (char) => char.charCodeAt(0));
    expect(await codeOf(() => parseBag(bytes))).toBe("UNSUPPORTED_FORMAT");
  });
});
