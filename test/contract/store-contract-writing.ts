import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, it } from "vitest";
import type { GetFixture, StoreTraits } from "./store-contract.ts";
import {
  bytesOf,
  collect,
  expectCode,
  isEqual,
  listedKeys,
  patternBytes,
  streamOf,
  textOf,
} from "./store-contract-tools.ts";

/** Keys that trip over escaping, encoding or file systems. */
const ODD_KEYS = [
  "odd/with space",
  "odd/plus+and&amp;",
  "odd/percent%20not-a-space",
  "odd/%2E",
  "odd/%f",
  "odd/name%d/x",
  "odd/ünïcödé/日本語/🧫.bin",
  "odd/e\u0301 is not \u00e9",
  "odd/\u00e9 is not e\u0301",
  "odd/.hidden",
  "odd/..almost",
  "odd/v1.0/LICENSE",
  "odd/quote\"apostrophe'<xml>",
  "odd/back\\slash:colon*star?",
  "odd/trailing.",
  "odd/=a=b;c,d@e~f!g$h(i)[j]{k}|l^m`n#o",
];

/** Writing: streams, parts, failures, odd keys, deletion, URLs. */
export function describeWriting(getFixture: GetFixture, traits: StoreTraits): void {
  describe("writing", () => {
    it.each(ODD_KEYS)("keeps the key %s apart from every other", async (key) => {
      const { store } = getFixture();
      await store.put(key, bytesOf(key));
      expect(textOf((await store.get(key)).bytes)).toBe(key);
      const { objects } = await store.list(key);
      expect(objects.map((object) => object.key)).toContain(key);
      await store.delete(key);
      await expectCode(store.head(key), "NOT_FOUND");
    });

    it.skipIf(traits.belowObjects !== "refused")(
      "refuses an object whose name is a folder, or whose folder is one",
      async () => {
        const { store } = getFixture();
        await store.put("both/a", bytesOf("first"));
        await expectCode(store.put("both/a/b", bytesOf("below")), "CONFLICT");
        await store.put("back/a/b", bytesOf("first"));
        await expectCode(store.put("back/a", bytesOf("above")), "CONFLICT");
        for (const key of ["both/a", "back/a/b"]) expect(textOf((await store.get(key)).bytes)).toBe("first");
        await expectCode(store.get("back/a"), "NOT_FOUND");
      },
    );

    it.skipIf(traits.belowObjects === "refused")(
      "keeps an object beside objects that have its name as their folder",
      async () => {
        const { store } = getFixture();
        for (const keys of [
          ["both/a", "both/a/b", "both/a/b/c"],
          ["back/a/b/c", "back/a/b", "back/a"],
          ["dots/a.b", "dots/a.b/c"],
        ]) {
          for (const key of keys) await store.put(key, bytesOf(key));
          for (const key of keys) expect(textOf((await store.get(key)).bytes)).toBe(key);
          const { objects } = await store.list((keys[0] ?? "").slice(0, 5));
          expect(objects.map((object) => object.key)).toEqual(listedKeys(keys, traits));
        }
      },
    );

    it.each(["", "/a", "a/", "a//b", ".", "a/../b", "a/.", "a\u0000b", "a\nb", "\ud800", "x".repeat(1025)])(
      "refuses the key %j",
      async (key) => {
        const { store } = getFixture();
        await expectCode(store.put(key, bytesOf("x")), "INVALID_ARGUMENT");
        await expectCode(store.get(key), "INVALID_ARGUMENT");
        await expectCode(store.delete(key), "INVALID_ARGUMENT");
      },
    );

    it("changes the tag when the content changes", async () => {
      const { store } = getFixture();
      const tags = new Set<string>();
      for (let round = 0; round < 20; round += 1) {
        const { etag } = await store.put("write/tag", bytesOf(`${round % 10} of equal size, ${round}`.padEnd(40)));
        tags.add(etag);
        expect((await store.head("write/tag")).etag).toBe(etag);
      }
      expect(tags.size).toBe(20);
    });

    it("takes bodies around the part size, as bytes and as streams", async () => {
      const { store, countUnfinished } = getFixture();
      for (const extra of [-1, 0, 1]) {
        for (const asStream of [false, true]) {
          const bytes = patternBytes(traits.partSizeBytes + extra, 7 + extra);
          const info = await store.put("write/edge", asStream ? streamOf(bytes, 100_003) : bytes);
          expect(info.sizeBytes).toBe(bytes.length);
          expect(isEqual((await store.get("write/edge")).bytes, bytes)).toBe(true);
        }
      }
      expect((await countUnfinished?.()) ?? 0).toBe(0);
    });

    it("takes a stream of more than three parts, and an empty one", async () => {
      const { store } = getFixture();
      const bytes = patternBytes(Math.floor(traits.partSizeBytes * 3.4));
      const info = await store.put("write/parts", streamOf(bytes, 3_000_017), { contentType: "application/x-bag" });
      expect(info).toMatchObject({ key: "write/parts", sizeBytes: bytes.length });
      const read = await store.get("write/parts");
      expect(read.etag).toBe(info.etag);
      expect(isEqual(read.bytes, bytes)).toBe(true);
      expect((await store.put("write/none", streamOf(new Uint8Array(0), 1))).sizeBytes).toBe(0);
    });

    it("takes streams that use one buffer again and again", async () => {
      const { store } = getFixture();
      const expected = patternBytes(1_000_000);
      await store.put("write/reused", reusing(expected));
      expect(isEqual((await store.get("write/reused")).bytes, expected)).toBe(true);
    });

    // A store in memory holds what it stores.
    const boundedIt = traits.isInMemory ? undefined : it;
    boundedIt?.("uploads a stream longer than memory is allowed to grow", async () => {
      const { store } = getFixture();
      const chunk = patternBytes(1024 * 1024);
      const nChunks = 160;
      const before = heldBytes();
      let peak = 0;
      const source = async function* () {
        for (let index = 0; index < nChunks; index += 1) {
          if (index % 16 === 15) peak = Math.max(peak, heldBytes() - before);
          yield chunk;
        }
      };
      expect((await store.put("write/long", source())).sizeBytes).toBe(nChunks * chunk.length);
      expect(peak).toBeLessThan(64 * 1024 * 1024);
      await store.delete("write/long");
    });

    it("leaves nothing when the source fails half-way, and gives its error", async () => {
      const { store, countUnfinished } = getFixture();
      const source = async function* () {
        yield patternBytes(traits.partSizeBytes * 2 + 5);
        throw new RangeError("the scanner is on fire");
      };
      await expect(store.put("write/failed", source())).rejects.toThrow("the scanner is on fire");
      await expectCode(store.head("write/failed"), "NOT_FOUND");
      expect((await countUnfinished?.()) ?? 0).toBe(0);
    });

    it("keeps the old object when the new one fails half-way", async () => {
      const { store } = getFixture();
      await store.put("write/old", bytesOf("old"));
      const source = async function* () {
        yield patternBytes(traits.partSizeBytes + 5);
        throw new RangeError("the scanner is on fire");
      };
      await expect(store.put("write/old", source())).rejects.toThrow(RangeError);
      expect(textOf((await store.get("write/old")).bytes)).toBe("old");
    });

    it("stops an upload whose source is silent when it is cancelled, and leaves nothing", async () => {
      const { store, countUnfinished } = getFixture();
      const controller = new AbortController();
      const source = async function* () {
        yield patternBytes(traits.partSizeBytes * 2 + 5);
        setTimeout(() => controller.abort(), 20);
        await new Promise(() => {});
      };
      await expectCode(store.put("write/silent", source(), { signal: controller.signal }), "CANCELLED");
      await expectCode(store.head("write/silent"), "NOT_FOUND");
      // A server may take a moment to let go of parts that were on their way when the upload was aborted.
      await expect.poll(async () => (await countUnfinished?.()) ?? 0, { timeout: 10_000 }).toBe(0);
    });

    it("deletes what is there and what is not", async () => {
      const { store } = getFixture();
      await store.put("write/gone/deep/er", bytesOf("x"));
      await store.delete("write/gone/deep/er");
      await store.delete("write/gone/deep/er");
      await store.delete("write/never");
      expect((await store.list("write/gone")).objects).toEqual([]);
    });

    const [urlIt, noUrlIt] = traits.hasUrls ? [it, undefined] : [undefined, it];
    urlIt?.("gives URLs that read and write without credentials", async () => {
      const { store } = getFixture();
      const put = await fetch(await store.presign("url/a b+c.bin", "PUT", 60), { method: "PUT", body: "by url" });
      expect(put.status).toBe(200);
      expect(textOf((await store.get("url/a b+c.bin")).bytes)).toBe("by url");
      const get = await fetch(await store.presign("url/a b+c.bin", "GET", 60));
      expect(await get.text()).toBe("by url");
      const wrong = await fetch(await store.presign("url/a b+c.bin", "GET", 60), { method: "DELETE" });
      expect(wrong.status).toBe(403);
      for (const expiresInS of [0, 604_801, 1.5]) {
        await expectCode(store.presign("url/a b+c.bin", "GET", expiresInS), "INVALID_ARGUMENT");
      }
    });

    noUrlIt?.("says that it has no URLs", async () => {
      const { store } = getFixture();
      await expectCode(store.presign("url/a", "GET", 60), "UNSUPPORTED_OPERATION");
    });

    it("is collected whole by whoever reads while it is replaced", async () => {
      const { store, other } = getFixture();
      const bodies = [patternBytes(300_000, 1), patternBytes(300_000, 2)] as const;
      await store.put("write/mixed", bodies[0]);
      let isWriting = true;
      const writer = (async () => {
        for (let round = 0; round < 30; round += 1) await other.put("write/mixed", bodies[round % 2 === 0 ? 1 : 0]);
        isWriting = false;
      })();
      while (isWriting) {
        const bytes = await collect((await store.getStream("write/mixed")).chunks);
        expect(bodies.some((body) => isEqual(body, bytes))).toBe(true);
      }
      await writer;
    });
  });
}

/** A Buffer, whose `slice` is no copy. */
async function* reusing(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  const buffer = Buffer.alloc(10_007);
  for (let at = 0; at < bytes.length; at += buffer.length) {
    const piece = bytes.subarray(at, at + buffer.length);
    buffer.set(piece);
    yield buffer.subarray(0, piece.length);
  }
}

/** Bytes of buffers that something still refers to: what only waits for the collector does not count. */
function heldBytes(): number {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  collect();
  // A collection leaves freeing the buffers to a thread, which may be late; the next collection waits for it.
  collect();
  return process.memoryUsage().arrayBuffers;
}
