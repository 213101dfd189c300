import { describe, expect, it } from "vitest";
import { createSlots } from "./slots.ts";

describe("slots", () => {
  it("keep values until they are removed", () => {
    const slots = createSlots<{ readonly name: string }>();
    const [first, second] = [slots.add({ name: "first" }), slots.add({ name: "second" })];
    slots.remove(first);
    expect(slots.at(first)).toBeUndefined();
    expect(slots.at(second)).toEqual({ name: "second" });
    expect(slots.values()).toEqual([{ name: "second" }]);
  });

  it("use a free place again, once, however often it was freed", () => {
    const slots = createSlots<{ readonly name: string }>();
    const place = slots.add({ name: "first" });
    slots.remove(place);
    slots.remove(place);
    expect(slots.add({ name: "second" })).toBe(place);
    expect(slots.add({ name: "third" })).not.toBe(place);
  });

  it("know nothing of places that never were", () => {
    const slots = createSlots<object>();
    expect(slots.at(Number.NaN)).toBeUndefined();
    slots.remove(7);
    expect(slots.values()).toEqual([]);
  });
});
