import { describe, expect, it } from "vitest";
import { assertKey, assertPrefix, compareKeys } from "./key.ts";

describe("keys", () => {
  it.each(["a", "a/b", "a.b", "...", "a b", "ü/日本", "x".repeat(1024), "é".repeat(512)])("takes %s", (key) => {
    expect(() => assertKey(key)).not.toThrow();
  });

  it.each([
    ["", "empty"],
    ["/a", "part 1"],
    ["a//b", "part 2"],
    ["a/b/", "part 3"],
    ["a/../b", 'part 2 of the key is ".."'],
    ["./a", 'part 1 of the key is "."'],
    ["a\tb", "control character at 1"],
    ["a\u007f", "control character at 1"],
    ["\udc00", "surrogate"],
    ["é".repeat(513), "1026 bytes, the bound is 1024"],
  ])("refuses %j: %s", (key, message) => {
    expect(() => assertKey(key)).toThrow(message);
  });

  it("never repeats the key in the message", () => {
    expect(() => assertKey("patient-7/../x")).toThrow(/^(?!.*patient-7)/);
  });

  it("takes prefixes that end anywhere", () => {
    for (const prefix of ["", "a/", "a/b", "/"]) expect(() => assertPrefix(prefix)).not.toThrow();
    expect(() => assertPrefix("a\u0000")).toThrow("prefix");
  });

  it("orders by UTF-8 bytes where JavaScript would not", () => {
    expect(compareKeys("\uff5e", "😀")).toBeLessThan(0);
    expect("\uff5e" < "😀").toBe(false);
  });
});
