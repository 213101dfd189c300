import { describe, expect, it } from "vitest";
import { createGate } from "./gate.ts";

describe("createGate", () => {
  it("lets so many through at a time, in the order they came, also after a failure", async () => {
    const gate = createGate(2);
    const order: number[] = [];
    let [running, most] = [0, 0];
    const work = (n: number) => async () => {
      order.push(n);
      most = Math.max(most, ++running);
      await Promise.resolve();
      running -= 1;
      if (n === 1) throw new Error("failed");
      return n;
    };
    const ends = await Promise.allSettled([0, 1, 2, 3, 4].map((n) => gate.run(work(n))));
    expect(most).toBe(2);
    expect(order).toEqual([0, 1, 2, 3, 4]);
    expect(ends.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled", "fulfilled", "fulfilled"]);
  });
});
