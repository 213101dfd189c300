import { createMemoryStore, type ObjectStore } from "@parfocal/store";
import { describe, expect, it } from "vitest";
import { type BatchPlan, findPlan, readPlan, writePlan } from "./batch-plan.ts";

const KEY = "plan";

function planOf(nRows: number): BatchPlan {
  const kept = [{ prediction: { decision: ["a\nb \u2028 \u{1F52C}"], probabilities: [{ probability: 1 / 3 }] } }, null];
  const rows = Array.from({ length: nRows }, (_, i) => ({
    ...({ line: i + 2, by: "bag", name: `bag ${i}`, patient: "", slide: "\u00e4".repeat(i % 9) } as const),
    ...(i % 3 === 0 ? { failure: { code: "NOT_FOUND", message: "no such bag" } } : { bag: "b".repeat(64), kept }),
  }));
  const model = { name: "m", reference: {}, reembedder: "", task: {}, featureDim: 4 };
  return { models: [model], rule: "max", isTransient: true, rows, shards: [[1, 2], [4]] };
}

/** A store that tells how long the pieces of what is put are. */
function watched(store: ObjectStore) {
  const lengths: number[] = [];
  async function* watch(body: Uint8Array | AsyncIterable<Uint8Array>) {
    for await (const chunk of body instanceof Uint8Array ? [body] : body) {
      lengths.push(chunk.length);
      yield chunk;
    }
  }
  const put: ObjectStore["put"] = (key, body, options) => store.put(key, watch(body), options);
  return { lengths, store: { ...store, put } };
}

describe("a plan", () => {
  it.each([0, 1, 7, 5000])("of %i rows is read as it was written", async (nRows) => {
    const store = createMemoryStore();
    const plan = planOf(nRows);
    const stored = await writePlan(store, KEY, plan, {});
    expect(await readPlan(store, stored)).toEqual(plan);
    expect(await findPlan(store, KEY, {})).toEqual({ plan, stored });
    expect(await writePlan(store, KEY, plan, {})).toEqual(stored);
  });

  it("is never one text, which would be longer than a text may be", async () => {
    const { store, lengths } = watched(createMemoryStore());
    const { sizeBytes } = await writePlan(store, KEY, planOf(20_000), {});
    expect(lengths.reduce((sum, length) => sum + length, 0)).toBe(sizeBytes);
    expect(Math.max(...lengths)).toBeLessThan(sizeBytes / 20);
  });

  it.each([
    ["cut short", (text: string) => text.slice(0, -1)],
    ["without its last row", (text: string) => text.replace(/[^\n]*\n$/, "")],
    ["no JSON", (text: string) => text.replace('"line":3', '"line":secret')],
    ["empty", () => ""],
    ["of the form before lines", () => JSON.stringify(planOf(2))],
    ["something else", () => '{"nRows":0}\n'],
  ])("that is %s is refused and not quoted", async (_, damage) => {
    const store = createMemoryStore();
    await writePlan(store, KEY, planOf(3), {});
    const text = Buffer.from((await store.get(KEY)).bytes).toString();
    await store.put(KEY, Buffer.from(damage(text)));
    const failure = await findPlan(store, KEY, {}).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: "CORRUPT" });
    expect(String(failure)).not.toContain("secret");
  });

  it("that is another one than was written is refused", async () => {
    const store = createMemoryStore();
    const stored = await writePlan(store, KEY, planOf(3), {});
    await writePlan(store, KEY, { ...planOf(3), rule: "mean" }, {});
    await expect(readPlan(store, stored)).rejects.toMatchObject({ code: "CORRUPT" });
  });
});
