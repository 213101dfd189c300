import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { partSizeFor, partsOfBody } from "./part-source.ts";

async function* streamOf(chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* chunks;
}

const collect = async (parts: AsyncIterable<Uint8Array>) => {
  const all: Uint8Array[] = [];
  for await (const part of parts) all.push(part);
  return all;
};

describe("parts of a body", () => {
  it("are all full but the last, at least one, and the body when put together", async () => {
    const chunks = fc.array(fc.uint8Array({ maxLength: 30 }), { maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(chunks, fc.integer({ min: 1, max: 17 }), async (pieces, partSizeBytes) => {
        const body = Buffer.concat(pieces);
        for (const source of [streamOf(pieces), new Uint8Array(body)]) {
          const parts = await collect(partsOfBody(source, partSizeBytes, undefined));
          expect(Buffer.compare(Buffer.concat(parts), body)).toBe(0);
          expect(parts).toHaveLength(Math.max(1, Math.ceil(body.length / partSizeBytes)));
          for (const part of parts.slice(0, -1)) expect(part).toHaveLength(partSizeBytes);
        }
      }),
    );
  });

  it("of a stream are copies, also when its chunks are one Buffer that is used again", async () => {
    const reusing = async function* () {
      const buffer = Buffer.alloc(4);
      for (const value of [1, 2, 3]) yield buffer.fill(value);
    };
    const parts = await collect(partsOfBody(reusing(), 6, undefined));
    expect(parts.map((part) => [...part])).toEqual([
      [1, 1, 1, 1, 2, 2],
      [2, 2, 3, 3, 3, 3],
    ]);
  });

  it("grow for bytes that would need more than 10 000 of them", () => {
    const huge = { length: 5e11 } as Uint8Array;
    Object.setPrototypeOf(huge, Uint8Array.prototype);
    Object.defineProperty(huge, "length", { value: 500_000_000_000 });
    expect(partSizeFor(huge, 16_777_216)).toBe(50_000_000);
    expect(partSizeFor(new Uint8Array(5), 16_777_216)).toBe(16_777_216);
    expect(partSizeFor(streamOf([]), 16_777_216)).toBe(16_777_216);
  });
});
