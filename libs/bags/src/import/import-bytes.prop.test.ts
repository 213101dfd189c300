import { isDomainError } from "@parfocal/errors";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { encodeBag } from "../encode-bag.ts";
import { importBytes } from "./import-in-process.ts";
import { torchFixtures } from "./torch/fixtures/read-fixture.ts";

/** Files by path: every fixture but HDF5, whose library must not be trusted after damage, a CSV and a canonical bag. */
function files(): readonly (readonly [path: string, bytes: Uint8Array])[] {
  const bag = encodeBag({
    n: 2,
    d: 3,
    features: { dtype: "F32", data: Float32Array.of(1, 2, 3, 4, 5, 6) },
    coords: Int32Array.of(0, 0, 256, 0),
    metadata: { slideId: "s", encoder: "ours" },
  });
  return [
    ...[...torchFixtures()].map(([name, bytes]) => [`${name}.pt`, bytes] as const),
    ["bags.csv", new TextEncoder().encode("label,bag,a,b\n1,x,1,2.5\n0,y,-3e2,4\n1,x,5,6\n")],
    ["bag.safetensors", bag],
  ];
}

/** The code of the refusal, "imported", or the error that should not have been. */
async function outcome(path: string, bytes: Uint8Array): Promise<unknown> {
  try {
    const file = { bytes: new Uint8Array(bytes), digest: "0".repeat(64) };
    const bags = await Array.fromAsync(importBytes(file, path, {}));
    return bags.length > 0 ? "imported" : "no bags";
  } catch (error) {
    return isDomainError(error) ? error.code : error;
  }
}

const ALLOWED = [
  "imported",
  "EMPTY_BAG",
  "NON_FINITE",
  "SHAPE_MISMATCH",
  "GEOMETRY_MISMATCH",
  "UNSUPPORTED_FORMAT",
  "UNSAFE_PICKLE",
  "INVALID_ARGUMENT",
  "CORRUPT",
  "TRUNCATED",
  "RESOURCE_EXHAUSTED",
];

const flips = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 1, max: 255 })), { minLength: 1, maxLength: 6 });

describe.each(files())("a damaged %s", (path, bytes) => {
  it("is imported or refused for a reason, whatever bytes changed", async () => {
    await fc.assert(
      fc.asyncProperty(flips, async (changes) => {
        const damaged = new Uint8Array(bytes);
        for (const [at, mask] of changes) damaged[at % bytes.length] = (damaged[at % bytes.length] ?? 0) ^ mask;
        expect(ALLOWED).toContain(await outcome(path, damaged));
      }),
      { numRuns: 60, seed: 7 },
    );
  });

  it("is refused for a reason wherever it was cut", async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat({ max: bytes.length - 1 }), async (length) => {
        const code = await outcome(path, bytes.subarray(0, length));
        expect(ALLOWED).toContain(code);
        // Text may end at any line.
        if (!path.endsWith(".csv")) expect(code).not.toBe("imported");
      }),
      { numRuns: 40, seed: 11 },
    );
  });
});
