import { describe, expect, it } from "vitest";
import { allocateShared } from "./shared-memory.ts";

const MIB = 1024 * 1024;

describe("shared memory", () => {
  it.each([0, 1, 100, 16 * MIB - 1, 16 * MIB, 16 * MIB + 1, 17 * MIB + 7])(
    "has %i zeros that other views of it share",
    (nBytes) => {
      const bytes = allocateShared(nBytes);
      expect(bytes.buffer).toBeInstanceOf(SharedArrayBuffer);
      expect([bytes.byteOffset, bytes.length]).toEqual([0, nBytes]);
      expect(bytes.every((byte) => byte === 0)).toBe(true);
      bytes.fill(7);
      const view = structuredClone(bytes.buffer);
      expect(new Uint8Array(view, 0, nBytes).every((byte) => byte === 7)).toBe(true);
    },
  );

  it("is of the usual kind where addresses are short", () => {
    class Refused {
      readonly buffer: SharedArrayBuffer;
      constructor() {
        throw new RangeError("WebAssembly.Memory(): could not allocate memory");
      }
    }
    const bytes = allocateShared(20 * MIB, Refused);
    expect(bytes.buffer.byteLength).toBe(20 * MIB);
  });
});
