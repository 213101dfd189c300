import { describe, expect, it } from "vitest";
import { createTurns } from "./create-turns.ts";

const SIGNAL = new AbortController().signal;

describe("turns", () => {
  it("are taken in their order, so many at a time, and given on by work that fails", async () => {
    const turns = createTurns(2);
    const begun: number[] = [];
    const gates = Array.from({ length: 5 }, () => Promise.withResolvers<number>());
    const results = gates.map(({ promise }, i) =>
      turns(() => {
        begun.push(i);
        return promise;
      }, SIGNAL),
    );
    const settled = Promise.allSettled(results);
    await new Promise(setImmediate);
    expect(begun).toEqual([0, 1]);
    gates[1]?.reject(new Error("the second fails"));
    await new Promise(setImmediate);
    expect(begun).toEqual([0, 1, 2]);
    for (const [i, gate] of gates.entries()) gate.resolve(10 * i);
    expect((await settled).map((each) => (each.status === "fulfilled" ? each.value : "failed"))).toEqual([
      ...[0, "failed", 20, 30, 40],
    ]);
    expect(begun).toEqual([0, 1, 2, 3, 4]);
  });

  it("are passed by where the signal has fired", async () => {
    const turns = createTurns(1);
    const cancel = new AbortController();
    const gate = Promise.withResolvers<void>();
    const first = turns(() => gate.promise, SIGNAL);
    const second = turns(() => Promise.reject(new Error("it began")), cancel.signal);
    const third = turns(async () => 3, SIGNAL);
    const refused = expect(second).rejects.toMatchObject({ code: "CANCELLED" });
    cancel.abort();
    gate.resolve();
    await Promise.all([first, refused]);
    expect(await third).toBe(3);
  });
});
