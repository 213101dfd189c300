import { describe, expect, it } from "vitest";
import { createSharedPool, type SharedPoolOptions } from "./shared-pool.ts";

const MIB = 1024 * 1024;

/** Takes memory of these sizes, in MiB, and gives all of it back in this order. */
function poolAfter(options: Partial<SharedPoolOptions>, ...sizes: readonly number[]) {
  const pool = createSharedPool({ maxIdleBytes: 64 * MIB, ...options });
  const buffers = sizes.map((mib) => pool.take(mib * MIB).buffer);
  for (const buffer of buffers) pool.give(buffer);
  return { pool, buffers };
}

describe("the pool of shared memory", () => {
  it.each([0, 5, MIB, 3 * MIB + 1, 20 * MIB + 7])("gives %i bytes of memory that threads share", (nBytes) => {
    const bytes = createSharedPool({ maxIdleBytes: 0 }).take(nBytes);
    expect([bytes.byteOffset, bytes.length]).toEqual([0, nBytes]);
    expect(bytes.buffer).toBeInstanceOf(SharedArrayBuffer);
    expect(bytes.buffer.byteLength).toBeLessThan(nBytes * 1.13 + 65_536);
  });

  it("uses the tightest again, for what is a little smaller or larger as well", () => {
    const { pool, buffers } = poolAfter({}, 24, 20);
    const bytes = pool.take(19 * MIB);
    expect([bytes.buffer, bytes.length]).toEqual([buffers[1], 19 * MIB]);
    expect(pool.take(19.5 * MIB).buffer).toBe(buffers[0]);
    expect(pool.idleBytes).toBe(0);
  });

  it("holds little in much unless it may not", () => {
    const { pool, buffers } = poolAfter({ maxSlack: 1.5 }, 30);
    expect(pool.take(19 * MIB).buffer).not.toBe(buffers[0]);
    expect(pool.take(20 * MIB).buffer).toBe(buffers[0]);
    const anyhow = poolAfter({}, 30);
    expect(anyhow.pool.take(2 * MIB).buffer).toBe(anyhow.buffers[0]);
  });

  it("lets go of the oldest beyond its bound, and keeps nothing larger than that", () => {
    const { pool, buffers } = poolAfter({ maxIdleBytes: 50 * MIB }, 20, 24, 16, 60);
    expect(pool.idleBytes).toBe(40 * MIB);
    expect(pool.take(20 * MIB).buffer).toBe(buffers[1]);
    expect(pool.take(16 * MIB).buffer).toBe(buffers[2]);
  });
});
