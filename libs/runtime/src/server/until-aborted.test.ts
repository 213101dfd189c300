import { describe, expect, it } from "vitest";
import { untilAborted } from "./until-aborted.ts";

/** Gives `items`, then nothing more and no end. */
async function* silentAfter<T>(...items: T[]): AsyncGenerator<T> {
  yield* items;
  await new Promise(() => {});
}

describe("the items of a source until a signal", () => {
  const { signal: never } = new AbortController();

  it("are all of them when it never fires", async () => {
    async function* source() {
      yield* [1, 2, 3];
    }
    expect(await Array.fromAsync(untilAborted(source(), never))).toEqual([1, 2, 3]);
  });

  it("end while the source is silent", async () => {
    const controller = new AbortController();
    const items = untilAborted(silentAfter("a"), controller.signal);
    expect(await items.next()).toEqual({ value: "a", done: false });
    const next = items.next();
    controller.abort();
    expect(await next).toEqual({ value: undefined, done: true });
  });

  it("end after the one that is looked at when it fires", async () => {
    const controller = new AbortController();
    const seen: number[] = [];
    for await (const item of untilAborted(silentAfter(1, 2), controller.signal)) {
      seen.push(item);
      controller.abort();
    }
    expect(seen).toEqual([1]);
  });

  it("are none, and none is asked for, when it has fired before", async () => {
    let nAsked = 0;
    const source = { [Symbol.asyncIterator]: () => ({ next: async () => ({ value: ++nAsked, done: false }) }) };
    expect(await Array.fromAsync(untilAborted(source, AbortSignal.abort()))).toEqual([]);
    expect(nAsked).toBe(0);
  });

  it("fail as the source does", async () => {
    async function* source() {
      yield 1;
      throw new TypeError("broken");
    }
    const items = untilAborted(source(), never);
    await items.next();
    await expect(items.next()).rejects.toThrow("broken");
  });

  it("do not throw what the source fails with once it has fired", async () => {
    const controller = new AbortController();
    const failing = Promise.withResolvers<IteratorResult<number>>();
    const source = { [Symbol.asyncIterator]: () => ({ next: () => failing.promise }) };
    const next = untilAborted(source, controller.signal).next();
    controller.abort();
    failing.reject(new TypeError("too late"));
    expect(await next).toEqual({ value: undefined, done: true });
  });
});
