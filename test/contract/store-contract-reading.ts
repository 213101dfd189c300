import { describe, expect, it } from "vitest";
import type { GetFixture } from "./store-contract.ts";
import { bytesOf, collect, expectCode, isEqual, patternBytes, textOf } from "./store-contract-tools.ts";

/** Reading: whole objects, ranges, streams, versions, cancellation. */
export function describeReading(getFixture: GetFixture): void {
  describe("reading", () => {
    it("gives back what was written, with size, tag and time", async () => {
      const { store } = getFixture();
      const written = await store.put("read/whole", bytesOf("hello"));
      const read = await store.get("read/whole");
      expect(textOf(read.bytes)).toBe("hello");
      expect(read).toMatchObject({ key: "read/whole", sizeBytes: 5, etag: written.etag });
      expect(Math.abs(read.lastModifiedMs - written.lastModifiedMs)).toBeLessThan(60_000);
      expect(await store.head("read/whole")).toMatchObject({ key: "read/whole", sizeBytes: 5, etag: written.etag });
    });

    it("is NOT_FOUND for what is not there, without saying its name", async () => {
      const { store } = getFixture();
      for (const method of ["get", "head", "getStream"] as const) {
        const error = await expectCode(store[method]("slide-17"), "NOT_FOUND");
        expect(error.message).not.toContain("slide-17");
      }
    });

    it.each([
      [0, 10, "0123456789"],
      [0, 1, "0"],
      [9, 10, "9"],
      [3, 7, "3456"],
      [0, 0, ""],
      [10, 10, ""],
    ])("reads the range [%i, %i)", async (start, end, expected) => {
      const { store } = getFixture();
      await store.put("read/range", bytesOf("0123456789"));
      const read = await store.get("read/range", { range: { start, end } });
      expect(textOf(read.bytes)).toBe(expected);
      expect(read.sizeBytes).toBe(10);
      const stream = await store.getStream("read/range", { range: { start, end } });
      expect(stream.sizeBytes).toBe(10);
      expect(textOf(await collect(stream.chunks))).toBe(expected);
    });

    it.each([
      [5, 11],
      [10, 11],
      [11, 12],
      [11, 11],
    ])("refuses the range [%i, %i) of 10 bytes, naming both", async (start, end) => {
      const { store } = getFixture();
      await store.put("read/beyond", bytesOf("0123456789"));
      const range = { start, end };
      for (const method of ["get", "getStream"] as const) {
        const error = await expectCode(store[method]("read/beyond", { range }), "INVALID_ARGUMENT");
        expect(error.message).toContain(`[${start}, ${end})`);
        expect(error.message).toContain("10 bytes");
      }
    });

    it.each([
      [-1, 3],
      [4, 3],
      [0.5, 3],
    ])("refuses [%d, %d), which is no range", async (start, end) => {
      const { store } = getFixture();
      await store.put("read/no-range", bytesOf("0123456789"));
      await expectCode(store.get("read/no-range", { range: { start, end } }), "INVALID_ARGUMENT");
    });

    it("reads empty objects", async () => {
      const { store } = getFixture();
      await store.put("read/empty", new Uint8Array(0));
      expect((await store.get("read/empty")).bytes).toHaveLength(0);
      expect(await collect((await store.getStream("read/empty")).chunks)).toHaveLength(0);
      expect((await store.head("read/empty")).sizeBytes).toBe(0);
      await expectCode(store.get("read/empty", { range: { start: 0, end: 1 } }), "INVALID_ARGUMENT");
    });

    it("notices an overwrite between two ranges", async () => {
      const { store, other } = getFixture();
      const { etag } = await store.put("read/pinned", bytesOf("old bytes"));
      const options = { range: { start: 0, end: 3 }, ifMatch: etag };
      expect(textOf((await store.get("read/pinned", options)).bytes)).toBe("old");
      await other.put("read/pinned", bytesOf("new bytes"));
      await expectCode(store.get("read/pinned", options), "PRECONDITION_FAILED");
      await expectCode(store.getStream("read/pinned", options), "PRECONDITION_FAILED");
    });

    it("streams a large object without holding it", async () => {
      const { store } = getFixture();
      const bytes = patternBytes(24 * 1024 * 1024);
      await store.put("read/large", bytes);
      let at = 0;
      for await (const chunk of (await store.getStream("read/large")).chunks) {
        expect(chunk.length).toBeLessThanOrEqual(1024 * 1024);
        expect(isEqual(chunk, bytes.subarray(at, at + chunk.length))).toBe(true);
        at += chunk.length;
      }
      expect(at).toBe(bytes.length);
    });

    it("lets a stream be left early or never begun, and stays usable", async () => {
      const { store } = getFixture();
      await store.put("read/left", patternBytes(4 * 1024 * 1024));
      for (let round = 0; round < 100; round += 1) {
        const { chunks } = await store.getStream("read/left");
        const iterator = chunks[Symbol.asyncIterator]();
        if (round % 2 === 0) await iterator.next();
        await iterator.return?.();
      }
      expect((await store.get("read/left", { range: { start: 0, end: 4 } })).bytes).toHaveLength(4);
    });

    it("ends with CANCELLED or DEADLINE_EXCEEDED as the signal says", async () => {
      const { store } = getFixture();
      await store.put("read/cancelled", patternBytes(4 * 1024 * 1024));
      const late = new DOMException("late", "TimeoutError");
      await expectCode(store.get("read/cancelled", { signal: AbortSignal.abort() }), "CANCELLED");
      await expectCode(store.head("read/cancelled", { signal: AbortSignal.abort(late) }), "DEADLINE_EXCEEDED");
      const controller = new AbortController();
      const { chunks } = await store.getStream("read/cancelled", { signal: controller.signal });
      const iterator = chunks[Symbol.asyncIterator]();
      await iterator.next();
      controller.abort();
      await expectCode(drain(iterator), "CANCELLED");
    });
  });
}

async function drain(iterator: AsyncIterator<Uint8Array>): Promise<void> {
  while ((await iterator.next()).done !== true);
}
