import { createHash } from "node:crypto";
import { putIfAbsent, readThenVerify, readVerified, streamVerified } from "@parfocal/store";
import { describe, expect, it } from "vitest";
import type { GetFixture, StoreTraits } from "./store-contract.ts";
import { bytesOf, collect, expectCode, isEqual, patternBytes } from "./store-contract-tools.ts";

/** Integrity by digests of our own. */
export function describeVerified(getFixture: GetFixture, { partSizeBytes }: StoreTraits): void {
  const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

  describe("verified content", () => {
    it("puts content under its digest once", async () => {
      const { store, other } = getFixture();
      const bytes = bytesOf("content");
      const first = await putIfAbsent(store, "cas", bytes, undefined, { suffix: ".bin" });
      expect(first).toEqual({ key: `cas/${sha256(bytes)}.bin`, digest: sha256(bytes), sizeBytes: 7, isNew: true });
      const again = await putIfAbsent(other, "cas", bytes, sha256(bytes), { suffix: ".bin" });
      expect(again).toEqual({ ...first, isNew: false });
    });

    it.each([10, 9_000_000])("puts %i bytes in several pieces as one object", async (nBytes) => {
      const { store } = getFixture();
      const bytes = patternBytes(nBytes);
      const pieces = [bytes.subarray(0, 3), bytes.subarray(3, 3), bytes.subarray(3)];
      const { key, digest, sizeBytes } = await putIfAbsent(store, "cas", pieces);
      expect([digest, sizeBytes]).toEqual([sha256(bytes), nBytes]);
      expect(isEqual((await store.get(key)).bytes, bytes)).toBe(true);
    });

    it("keeps bytes out of names that are not theirs", async () => {
      const { store } = getFixture();
      await expectCode(putIfAbsent(store, "cas", bytesOf("evil"), sha256(bytesOf("good"))), "CORRUPT");
      await expectCode(putIfAbsent(store, "cas", bytesOf("evil"), "ABC"), "INVALID_ARGUMENT");
    });

    it.each([0, 1, 1000, 5, partSizeBytes + 1, 3 * partSizeBytes + 17])(
      "reads %i bytes and checks them",
      async (nBytes) => {
        const { store } = getFixture();
        const bytes = patternBytes(nBytes);
        const { key, digest, sizeBytes } = await putIfAbsent(store, "cas", bytes);
        const options = { digest, sizeBytes, partSizeBytes: Math.max(1, Math.floor(nBytes / 9)), maxConcurrency: 3 };
        expect(isEqual(await readVerified(store, key, options), bytes)).toBe(true);
        expect(isEqual(await readVerified(store, key, { digest, sizeBytes }), bytes)).toBe(true);
        expect(isEqual(await collect(streamVerified(store, key, { digest, sizeBytes })), bytes)).toBe(true);
        const early = await readThenVerify(store, key, options);
        expect(isEqual(early.bytes, bytes)).toBe(true);
        await early.verified;
      },
    );

    it("finds one changed bit, and shows both digests' beginnings", async () => {
      const { store } = getFixture();
      const bytes = patternBytes(9_000_000);
      const digest = sha256(bytes);
      bytes[4_500_000] = (bytes[4_500_000] ?? 0) ^ 1;
      await store.put("cas/rotten", bytes);
      const options = { digest, sizeBytes: bytes.length };
      const read = () => readVerified(store, "cas/rotten", options);
      const stream = () => collect(streamVerified(store, "cas/rotten", options));
      const later = async () => (await readThenVerify(store, "cas/rotten", options)).verified;
      for (const work of [read, stream, later]) {
        const error = await expectCode(work(), "CORRUPT");
        expect(error.message).toContain(digest.slice(0, 12));
        expect(error.message).toContain(sha256(bytes).slice(0, 12));
        expect(error.message).not.toContain(digest);
      }
    });

    it("finds a wrong size before it allocates or reads", async () => {
      const { store } = getFixture();
      await store.put("cas/short", bytesOf("12345"));
      const options = { digest: sha256(bytesOf("12345")), sizeBytes: 2 ** 50 };
      await expectCode(readVerified(store, "cas/short", options), "CORRUPT");
      await expectCode(readVerified(store, "cas/absent", options), "NOT_FOUND");
    });

    it("stops when it is cancelled", async () => {
      const { store } = getFixture();
      const { key, digest, sizeBytes } = await putIfAbsent(store, "cas", patternBytes(10_000_000, 5));
      const options = { digest, sizeBytes };
      await expectCode(readVerified(store, key, { ...options, signal: AbortSignal.abort() }), "CANCELLED");
      const controller = new AbortController();
      const work = readVerified(store, key, { ...options, signal: controller.signal });
      controller.abort();
      await expectCode(work, "CANCELLED");
    });
  });
}
