import { describe, expect, it } from "vitest";
import { createImportTurns, type EndTurn } from "./import-turns.ts";

const NEVER = new AbortController().signal;

/** Turns whose takers write their names down when it is theirs. */
function recordedTurns(nPlaces: number, maxWaiting: number) {
  const turns = createImportTurns(nPlaces, maxWaiting);
  const begun: string[] = [];
  const ends = new Map<string, EndTurn>();
  const record = (name: string, turn: Promise<EndTurn>) =>
    turn.then((end) => {
      begun.push(name);
      ends.set(name, end);
    });
  return {
    begun,
    take: (name: string, signal = NEVER) => record(name, turns.take(signal)),
    takeAll: (name: string, signal = NEVER) => record(name, turns.takeAll(signal)),
    async end(name: string) {
      ends.get(name)?.();
      await Promise.resolve();
      await Promise.resolve();
    },
  };
}

describe("turns of imports", () => {
  it("come in the order of asking, as many at a time as there are places", async () => {
    const { begun, take, end } = recordedTurns(2, 2);
    await Promise.all([take("a"), take("b")]);
    const waiting = [take("c"), take("d")];
    await expect(take("e")).rejects.toMatchObject({ code: "RESOURCE_EXHAUSTED" });
    expect(begun).toEqual(["a", "b"]);
    await end("b");
    expect(begun).toEqual(["a", "b", "c"]);
    await end("a");
    await Promise.all(waiting);
    expect(begun).toEqual(["a", "b", "c", "d"]);
  });

  it("are given to one who wants to be alone before all who wait, when nobody has one", async () => {
    const { begun, take, takeAll, end } = recordedTurns(2, 1);
    await Promise.all([take("a"), take("b")]);
    const waiting = [take("c"), takeAll("alone")];
    await end("a");
    expect(begun).toEqual(["a", "b"]);
    await end("b");
    expect(begun).toEqual(["a", "b", "alone"]);
    await end("alone");
    await Promise.all(waiting);
    expect(begun).toEqual(["a", "b", "alone", "c"]);
  });

  it("do not wait for those who are cancelled", async () => {
    const { begun, take, takeAll, end } = recordedTurns(2, 2);
    const controller = new AbortController();
    await take("a");
    const alone = takeAll("alone", controller.signal);
    const next = take("b");
    controller.abort();
    await expect(alone).rejects.toMatchObject({ code: "CANCELLED" });
    await next;
    expect(begun).toEqual(["a", "b"]);
    await end("a");
    await end("b");
    await takeAll("c");
  });
});
