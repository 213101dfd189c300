import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { createStreamHash } from "./stream-hash.ts";

const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

describe("hashing a stream", () => {
  it.each([0, 1, 1_048_575, 1_048_576, 1_048_577, 30_000_001])(
    "of %i bytes gives the digest, on either thread",
    async (nBytes) => {
      const bytes = Buffer.alloc(nBytes, "parfocal");
      for (const announced of [0, 2 ** 40]) {
        const hash = createStreamHash(announced);
        for (let at = 0; at < nBytes; at += 999_983) hash.update(bytes.subarray(at, at + 999_983));
        expect(await hash.digest()).toBe(sha256(bytes));
        hash.abandon();
      }
    },
  );

  it("hashes memory that it shares where it lies, among bytes that it does not", async () => {
    const shared = new Uint8Array(new SharedArrayBuffer(3_000_000)).fill(7);
    const own = Buffer.alloc(700_001, "parfocal");
    const hash = createStreamHash(2 ** 40);
    for (const bytes of [shared, own, shared.subarray(1, 900_000), shared]) hash.update(bytes);
    expect(await hash.digest()).toBe(sha256(Buffer.concat([shared, own, shared.subarray(1, 900_000), shared])));
    hash.abandon();
  });

  it("keeps hashes apart that run at the same time, one of them abandoned", async () => {
    const bodies = [1, 2, 3].map((seed) => Buffer.alloc(5_000_000, seed));
    const hashes = bodies.map(() => createStreamHash(2 ** 40));
    for (let at = 0; at < 5_000_000; at += 100_000) {
      for (const [index, hash] of hashes.entries())
        hash.update(bodies[index]?.subarray(at, at + 100_000) ?? Buffer.alloc(0));
    }
    hashes[1]?.abandon();
    expect(await hashes[0]?.digest()).toBe(sha256(bodies[0] ?? Buffer.alloc(0)));
    expect(await hashes[2]?.digest()).toBe(sha256(bodies[2] ?? Buffer.alloc(0)));
  });
});
