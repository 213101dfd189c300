import { createHash } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { openStore } from "@parfocal/store";
import { afterAll, describe, expect, it } from "vitest";
import { bytesReadBy } from "../testing/read-bytes.ts";
import { codeOf } from "../testing/test-tensors.ts";
import type { StoredSource } from "../wire.ts";
import { startObjectReader } from "./object-reader.ts";
import type { ReadBytes } from "./read-source.ts";

const folder = await mkdtemp(join(tmpdir(), "parfocal-reader-"));
const uri = pathToFileURL(folder).href;
const store = openStore(uri);
const reader = await startObjectReader({ store: { uri }, isKeeping: false });
afterAll(async () => {
  store.close();
  await rm(folder, { recursive: true });
});

const { signal } = new AbortController();

/** Writes values behind a header of 64 bytes. */
async function put(
  key: string,
  values: Float32Array | Float16Array,
): Promise<StoredSource & { readonly digest: string }> {
  const bytes = Buffer.concat([Buffer.alloc(64), Buffer.from(values.buffer, 0, values.byteLength)]);
  const { etag } = await store.put(key, bytes);
  const digest = createHash("sha256").update(bytes).digest("hex");
  const dtype = values instanceof Float16Array ? "f16" : "f32";
  return { kind: "object", key, etag, offsetBytes: 64, dtype, shape: [values.length], digest };
}

function numbersOf({ bytes }: ReadBytes, length: number): number[] {
  return [...new Float32Array(bytes.buffer, bytes.offset, length)];
}

describe("the reading thread", () => {
  it("gives a range, and the whole of what is to be verified with its verdict, and counts both", async () => {
    const before = reader.readBytes;
    const { digest, ...source } = await put("small", new Float32Array([1, 2]));
    const range = await reader.read(source, false, signal);
    expect([numbersOf(range, 2), range.bytes.size, range.verified]).toEqual([[1, 2], 8, undefined]);
    const whole = await reader.read({ ...source, verify: { digest, sizeBytes: 72 } }, false, signal);
    expect([numbersOf(whole, 2), whole.bytes.size]).toEqual([[1, 2], 72]);
    expect(await whole.verified).toBeUndefined();
    expect(reader.readBytes - before).toBe(80);
    const other = await reader.read({ ...source, verify: { digest: "0".repeat(64), sizeBytes: 72 } }, false, signal);
    expect(await codeOf(Promise.resolve(other.verified))).toBe("CORRUPT");
  });

  it("widens halves", async () => {
    const { digest: _, ...source } = await put("halves", new Float16Array([0.5, -2]));
    expect(numbersOf(await reader.read(source, true, signal), 2)).toEqual([0.5, -2]);
  });

  it("reads while this one is busy", async () => {
    const { digest: _, ...source } = await put("busy", new Float32Array(4_000_000).fill(3));
    const before = bytesReadBy("self");
    const reading = reader.read(source, false, signal);
    const cell = new Int32Array(new SharedArrayBuffer(4));
    let tries = 0;
    while (bytesReadBy("self") - before < 16_000_000 && tries < 2000) {
      Atomics.wait(cell, 0, 0, 10);
      tries += 1;
    }
    expect(tries).toBeLessThan(2000);
    expect(numbersOf(await reading, 1)).toEqual([3]);
  });

  it("leaves a reading whose signal fires, for that signal's reason", async () => {
    const { digest: _, ...source } = await put("long", new Float32Array(4_000_000));
    const controller = new AbortController();
    const [left, other] = [reader.read(source, false, controller.signal), reader.read(source, false, signal)];
    controller.abort();
    expect(await codeOf(left)).toBe("CANCELLED");
    expect((await other).bytes.size).toBe(16_000_000);
    expect(await codeOf(reader.read(source, false, controller.signal))).toBe("CANCELLED");
  });

  it("fails the reading alone that fails", async () => {
    const { digest: _, ...source } = await put("there", new Float32Array([1]));
    const [gone, there] = [reader.read({ ...source, key: "gone" }, false, signal), reader.read(source, false, signal)];
    expect(await codeOf(gone)).toBe("NOT_FOUND");
    expect(numbersOf(await there, 1)).toEqual([1]);
    expect(await codeOf((await startObjectReader(undefined)).read(source, false, signal))).toBe("INVALID_ARGUMENT");
  });
});
