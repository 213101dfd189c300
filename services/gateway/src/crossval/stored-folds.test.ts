import { orAborted } from "@parfocal/errors";
import { createMemoryStore, type ObjectStore } from "@parfocal/store";
import { describe, expect, it } from "vitest";
import { createPartsReader, writeFolds } from "./stored-folds.ts";

const FOLDS = [0, 1].map((fold) => ({ repeat: 0, fold, parts: `part ${fold}` }));

/** A store with folds, whose reads wait until they are let go, or their signal fires. */
async function slowStore() {
  const store = createMemoryStore();
  await writeFolds(store, "folds", FOLDS as never, {});
  const gate = Promise.withResolvers<void>();
  const get: ObjectStore["get"] = async (key, options = {}) => {
    await orAborted(gate.promise, options.signal);
    return store.get(key, options);
  };
  return { store: { ...store, get }, letGo: gate.resolve };
}

describe("stored folds", () => {
  it("come to every step that waits for them, whatever becomes of the one that asked first", async () => {
    const { store, letGo } = await slowStore();
    const partsOf = createPartsReader(store, "folds");
    const taken = new AbortController();
    const first = partsOf({ repeat: 0, fold: 0 }, taken.signal);
    const second = partsOf({ repeat: 0, fold: 1 }, new AbortController().signal);
    taken.abort(new Error("a step was taken from its worker"));
    await expect(first).rejects.toMatchObject({ code: "CANCELLED" });
    letGo();
    expect(await second).toMatchObject({ fold: 1, parts: "part 1" });
  });
});
