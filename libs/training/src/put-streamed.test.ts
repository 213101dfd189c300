import { createHash } from "node:crypto";
import { createMemoryStore } from "@parfocal/store";
import { describe, expect, it } from "vitest";
import { putStreamed } from "./put-streamed.ts";

const MIB = 1024 * 1024;

/** Bytes that are made anew each time, and how often they were. */
function source(sizeBytes: number) {
  const made = { count: 0 };
  async function* parts(): AsyncGenerator<Uint8Array> {
    made.count += 1;
    for (let at = 0; at < sizeBytes; at += MIB) yield new Uint8Array(Math.min(MIB, sizeBytes - at)).fill(at / MIB + 1);
  }
  const whole = Buffer.concat(
    Array.from({ length: Math.ceil(sizeBytes / MIB) }, (_, i) =>
      Buffer.alloc(Math.min(MIB, sizeBytes - i * MIB), i + 1),
    ),
  );
  return { parts, made, whole, digest: createHash("sha256").update(whole).digest("hex") };
}

describe("bytes that are made as they are written", () => {
  it.each([
    ["held", 3 * MIB + 5, 1],
    ["made twice, not held", 9 * MIB + 5, 2],
  ])("lie under their digest: %s", async (_how, sizeBytes, times) => {
    const store = createMemoryStore();
    const { parts, made, whole, digest } = source(sizeBytes);
    const written = await putStreamed(store, "cache/x", parts, sizeBytes, {});
    expect(written).toEqual({ key: `cache/x/${digest}.safetensors`, digest, sizeBytes });
    expect(Buffer.from((await store.get(written.key)).bytes).equals(whole)).toBe(true);
    expect(made.count).toBe(times);
    expect(await putStreamed(store, "cache/x", parts, sizeBytes, {})).toEqual(written);
  });

  it.each([MIB, 9 * MIB])("replace an object of their name and another size (%i bytes)", async (sizeBytes) => {
    const store = createMemoryStore();
    const { parts, digest, whole } = source(sizeBytes);
    await store.put(`cache/x/${digest}.safetensors`, Uint8Array.of(1));
    const { key } = await putStreamed(store, "cache/x", parts, sizeBytes, {});
    expect(Buffer.from((await store.get(key)).bytes).equals(whole)).toBe(true);
  });
});
