import { encodeBag } from "@parfocal/bags";
import { describe, expect, it } from "vitest";
import { halvedBag } from "./half-bag.ts";

const [N, D] = [5, 3];
const SIDES = {
  coords: Int32Array.from({ length: 2 * N }, (_, i) => i - 3),
  level: Uint8Array.of(0, 1, 2, 1, 0),
  metadata: { slideId: "a", encoder: "reembed:0123456789ab" },
};

function bagOf(values: readonly number[]) {
  const data = Float32Array.from({ length: N * D }, (_, i) => values[i] ?? 0);
  return { n: N, d: D, features: { dtype: "F32", data }, ...SIDES } as const;
}

async function halved(bytes: Uint8Array, pieceBytes: number): Promise<Buffer> {
  async function* pieces() {
    await Promise.resolve();
    for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes);
  }
  return Buffer.concat(await Array.fromAsync(halvedBag(pieces())));
}

/** Ties go to the even one: 1 + 2^-11 down, 1 + 3 · 2^-11 up. */
const VALUES = [1, 1 + 2 ** -11, 1 + 3 * 2 ** -11, -0, 65_504, -65_519, 2 ** -24, 1e-9, Math.PI];

describe("a bag in half precision", () => {
  it.each([1, 3, 7, 64, 101, 10_000])(
    "is the canonical file of the nearest halves, from pieces of %i bytes",
    async (pieceBytes) => {
      const bag = bagOf(VALUES);
      const data = new Uint16Array(Float16Array.from(bag.features.data).buffer);
      const expected = encodeBag({ ...bag, features: { dtype: "F16", data } });
      expect(Buffer.compare(await halved(encodeBag(bag), pieceBytes), expected)).toBe(0);
      expect([...new Float16Array(data.buffer)].slice(1, 6)).toEqual([1, 1 + 2 ** -9, -0, 65_504, -65_504]);
    },
  );

  it("is refused where a number is beyond it, with the number and the bound", async () => {
    const refused = halved(encodeBag(bagOf([1, 65_520])), 50);
    await expect(refused).rejects.toMatchObject({ code: "NON_FINITE", details: { value: "65520", bound: "65504" } });
  });

  it("is refused of what is no whole bag of f32", async () => {
    const bytes = encodeBag(bagOf([]));
    await expect(halved(bytes.subarray(0, 20), 4)).rejects.toMatchObject({ code: "TRUNCATED" });
    const halves = encodeBag({ ...bagOf([]), features: { dtype: "F16", data: new Uint16Array(N * D) } });
    await expect(halved(halves, 64)).rejects.toMatchObject({ code: "CORRUPT" });
  });
});
