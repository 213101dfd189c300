import { describe, expect, it } from "vitest";
import { prefetch } from "./prefetch.ts";

const SIGNAL = new AbortController().signal;

function pieces(n: number, started: number[], fails?: number) {
  return Array.from({ length: n }, (_, i) => async () => {
    started.push(i);
    await new Promise((resolve) => setImmediate(resolve));
    if (i === fails) throw new Error(`piece ${i}`);
    return i;
  });
}

describe("work ahead", () => {
  it("comes in its order, so many pieces ahead and no more", async () => {
    const started: number[] = [];
    const loader = prefetch(pieces(6, started), { ahead: 3, signal: SIGNAL });
    expect(started).toEqual([0, 1, 2]);
    expect(await loader.next()).toBe(0);
    expect(started).toEqual([0, 1, 2, 3]);
    const rest = [];
    for (let piece = await loader.next(); piece !== undefined; piece = await loader.next()) rest.push(piece);
    expect(rest).toEqual([1, 2, 3, 4, 5]);
    await loader.close();
  });

  it("tells of a failure when its turn comes", async () => {
    const loader = prefetch(pieces(3, [], 1), { ahead: 3, signal: SIGNAL });
    expect(await loader.next()).toBe(0);
    await expect(loader.next()).rejects.toThrow("piece 1");
    await loader.close();
  });

  it("ends with what it is for", async () => {
    const signals: AbortSignal[] = [];
    const piece = (signal: AbortSignal) => {
      signals.push(signal);
      return Promise.resolve(1);
    };
    const loader = prefetch([piece, piece], { ahead: 2, signal: SIGNAL });
    await loader.close();
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, true]);
  });
});
