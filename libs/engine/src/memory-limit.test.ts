import { existsSync } from "node:fs";
import { expect, it } from "vitest";
import { watchMemory } from "./memory-limit.ts";

const hasProc = existsSync("/proc/self/status");
if (!hasProc) console.warn("skipped: this system has no /proc, so memory is not watched");

it.skipIf(!hasProc)("a process that holds more than its limit is reported once", async () => {
  const seen: number[] = [];
  await new Promise<void>((resolve) => {
    watchMemory(process.pid, 2 ** 20, (bytes) => {
      seen.push(bytes);
      resolve();
    });
  });
  await new Promise((resolve) => setTimeout(resolve, 150));
  expect(seen.length).toBe(1);
  expect(seen[0]).toBeGreaterThan(2 ** 20);
});

it("a process within its limit is left alone, and watching can be stopped", async () => {
  const seen: number[] = [];
  const stops = [
    watchMemory(process.pid, 2 ** 50, (bytes) => seen.push(bytes)),
    watchMemory(process.pid, 1, (bytes) => seen.push(bytes)),
  ];
  stops[1]?.();
  await new Promise((resolve) => setTimeout(resolve, 150));
  stops[0]?.();
  expect(seen).toEqual([]);
});
