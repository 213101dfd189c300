import { existsSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { watchMemory } from "./memory-limit.ts";

const hasProc = existsSync("/proc/self/status");
if (!hasProc) console.warn("memory-limit.test.ts is skipped: this system has no /proc, so memory is not watched");

/** Waits until watches that began now have each read the memory and reported: every other watch has had as many turns. */
async function letWatchesRead(times: number): Promise<void> {
  for (let i = 0; i < times; i += 1) {
    await new Promise<void>((resolve) => watchMemory(process.pid, 1, () => resolve()));
  }
}

describe.skipIf(!hasProc)("a process whose memory is watched", () => {
  it("is reported once when it holds more than its limit", async () => {
    const seen: number[] = [];
    await new Promise<void>((resolve) => {
      watchMemory(process.pid, 2 ** 20, (bytes) => {
        seen.push(bytes);
        resolve();
      });
    });
    await letWatchesRead(3);
    expect(seen.length).toBe(1);
    expect(seen[0]).toBeGreaterThan(2 ** 20);
  });

  it("is left alone within its limit, and no longer watched when that is stopped", async () => {
    const seen: number[] = [];
    const stops = [
      watchMemory(process.pid, 2 ** 50, (bytes) => seen.push(bytes)),
      watchMemory(process.pid, 1, (bytes) => seen.push(bytes)),
    ];
    stops[1]?.();
    await letWatchesRead(3);
    stops[0]?.();
    expect(seen).toEqual([]);
  });
});
