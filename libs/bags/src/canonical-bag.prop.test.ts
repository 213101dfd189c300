import { isDomainError } from "@parfocal/errors";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Bag, BagMetadata } from "./bag.ts";
import { encodeBag, encodeBagFrame } from "./encode-bag.ts";
import { parseBag } from "./parse-bag.ts";
import type { SafetensorsInput } from "./safetensors/encode-safetensors.ts";
import { encodeSafetensors } from "./safetensors/encode-safetensors.ts";
import { parseSafetensors } from "./safetensors/parse-safetensors.ts";

const finiteHalf = fc.integer({ min: 0, max: 0xffff }).filter((word) => (word & 0x7c00) !== 0x7c00);
// Zero has one sign in the text of a number.
const finite = fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => value + 0);
const text = fc.string({ unit: "grapheme", maxLength: 12 });

const metadata: fc.Arbitrary<BagMetadata> = fc.record(
  {
    slideId: text,
    patientId: text,
    encoder: text,
    tilePx: fc.integer({ min: 1, max: 4096 }),
    mpp: fc.double({ min: 0.01, max: 100, noNaN: true }),
    coordUnit: fc.constantFrom("level0_px" as const, "encoded_px" as const),
    level0Mpp: fc.double({ min: 0.01, max: 100, noNaN: true }),
    levelCount: fc.integer({ min: 1, max: 5 }),
    anchorPx: fc.tuple(finite, finite),
    sourceLabel: text,
  },
  { requiredKeys: [] },
);

const bags: fc.Arbitrary<Bag> = fc
  .record({ n: fc.integer({ min: 1, max: 20 }), d: fc.integer({ min: 1, max: 9 }), isHalf: fc.boolean() })
  .chain(({ n, d, isHalf }) =>
    fc.record({
      n: fc.constant(n),
      d: fc.constant(d),
      features: isHalf
        ? fc
            .array(finiteHalf, { minLength: n * d, maxLength: n * d })
            .map((words) => ({ dtype: "F16" as const, data: Uint16Array.from(words) }))
        : fc
            .float32Array({ minLength: n * d, maxLength: n * d, noNaN: true, noDefaultInfinity: true })
            .map((data) => ({ dtype: "F32" as const, data })),
      metadata,
      tail: fc.option(fc.int32Array({ minLength: n * 2, maxLength: n * 2 })),
      level: fc.option(fc.uint8Array({ minLength: n, maxLength: n })),
      flags: fc.option(fc.uint8Array({ minLength: n, maxLength: n })),
    }),
  )
  .map(({ tail, level, flags, ...bag }) => {
    return { ...bag, ...(tail && { coords: tail }), ...(level && { level }), ...(flags && { flags }) };
  });

describe("a canonical bag", () => {
  it("comes back as it went, from any place in memory", () => {
    fc.assert(
      fc.property(bags, fc.integer({ min: 0, max: 7 }), (bag, shift) => {
        const bytes = encodeBag(bag);
        const moved = new Uint8Array(bytes.length + shift);
        moved.set(bytes, shift);
        const parsed = parseBag(moved.subarray(shift));
        expect(parsed).toEqual(bag);
        expect(encodeBag(parsed)).toEqual(bytes);
        const { before, after } = encodeBagFrame(bag, bag.features.dtype);
        const { buffer, byteOffset, byteLength } = bag.features.data;
        const around = Buffer.concat([before, new Uint8Array(buffer, byteOffset, byteLength), after]);
        expect(around.equals(bytes)).toBe(true);
      }),
      { numRuns: 200 },
    );
  });

  it("is refused for a reason when bytes change or are missing, or is still a bag", () => {
    fc.assert(
      fc.property(bags, fc.nat(), fc.integer({ min: 1, max: 255 }), fc.boolean(), (bag, at, mask, isCut) => {
        const bytes = encodeBag(bag);
        const index = at % bytes.length;
        const damaged = isCut ? bytes.subarray(0, index) : bytes.with(index, (bytes[index] ?? 0) ^ mask);
        try {
          expect(parseBag(damaged).n).toBeGreaterThan(0);
          expect(isCut).toBe(false);
        } catch (error) {
          if (!isDomainError(error)) throw error;
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe("a safetensors file", () => {
  it("gives back every tensor and all metadata", () => {
    const tensor = fc
      .uint8Array({ maxLength: 40 })
      .map((data): SafetensorsInput => ({ dtype: "U8", shape: [data.length], data }));
    const names = fc.string({ unit: "grapheme", maxLength: 10 }).filter((name) => name !== "__metadata__");
    fc.assert(
      fc.property(fc.dictionary(names, tensor), fc.dictionary(text, text), (tensors, notes) => {
        const file = parseSafetensors(encodeSafetensors(new Map(Object.entries(tensors)), notes));
        expect(Object.fromEntries(file.tensors)).toEqual({ ...tensors });
        expect(file.metadata).toEqual({ ...notes });
      }),
      { numRuns: 200 },
    );
  });
});
