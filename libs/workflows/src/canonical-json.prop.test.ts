import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { canonicalJson, jsonCopy } from "./canonical-json.ts";

/** Rebuilds objects with their keys in the opposite order. */
function reversed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reversed);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([key, item]) => [key, reversed(item)]),
  );
}

// Minus zero is the one number that JSON does not give back.
const json = fc.jsonValue({ noUnicodeString: false }).map((value) => JSON.parse(JSON.stringify(value)) as unknown);

describe("canonical JSON", () => {
  it("gives one text whatever the order of the keys, and the value back", () => {
    fc.assert(
      fc.property(json, (value) => {
        const text = canonicalJson(value, "it");
        expect(canonicalJson(reversed(value), "it")).toBe(text);
        expect(JSON.parse(text)).toEqual(value);
        expect(jsonCopy(value, "it")).toEqual(value);
      }),
    );
  });

  it.each([
    [{ a: undefined }, "a value of type undefined at $.a"],
    [[1, [new Date(0)]], "a Date at $[1][0]"],
    [() => 1, "a value of type function at $"],
    [Number.POSITIVE_INFINITY, "Infinity at $"],
    [1n, "a value of type bigint at $"],
  ])("refuses %s with its place", (value, place) => {
    expect(() => canonicalJson(value, "it")).toThrow(`it holds ${place}; only JSON values survive a journal`);
  });

  it("refuses a cycle", () => {
    const cycle: unknown[] = [];
    cycle.push(cycle);
    expect(() => canonicalJson(cycle, "it")).toThrow("it holds more than 100 levels");
  });
});
