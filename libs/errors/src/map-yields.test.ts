import { expect, it } from "vitest";
import { mapYields } from "./map-yields.ts";

/** Yields 1 to 3 and gives "result"; notes its end. */
async function* steps(notes: string[]): AsyncGenerator<number, string, void> {
  try {
    yield 1;
    yield 2;
    yield 3;
    return "result";
  } finally {
    await Promise.resolve();
    notes.push("ended");
  }
}

it("passes on what is shown of each step and gives the result", async () => {
  const notes: string[] = [];
  const results: string[] = [];
  async function* outer() {
    results.push(yield* mapYields(steps(notes), (n) => n * 10));
  }
  expect(await Array.fromAsync(outer())).toEqual([10, 20, 30]);
  expect({ results, notes }).toEqual({ results: ["result"], notes: ["ended"] });
});

it("ends the steps of who stops early, before that is over", async () => {
  const notes: string[] = [];
  for await (const shown of mapYields(steps(notes), (n) => n)) if (shown === 2) break;
  expect(notes).toEqual(["ended"]);
});

it("passes on what the steps throw, and ends them when showing fails", async () => {
  const notes: string[] = [];
  const failing = mapYields(steps(notes), () => {
    throw new Error("no way to show it");
  });
  await expect(failing.next()).rejects.toThrow("no way to show it");
  expect(notes).toEqual(["ended"]);
  // biome-ignore lint/correctness/useYield: it fails before.
  async function* broken(): AsyncGenerator<number, void, void> {
    throw new Error("broken");
  }
  await expect(mapYields(broken(), (n) => n).next()).rejects.toThrow("broken");
});
