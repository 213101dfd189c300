import { describe, expect, it } from "vitest";
import { parseOperationFilter } from "./operation-filter.ts";

describe("parseOperationFilter", () => {
  it("takes a verb, done, and both", () => {
    expect(parseOperationFilter(" ")).toEqual({});
    expect(parseOperationFilter('verb="train"')).toEqual({ verb: "train" });
    expect(parseOperationFilter('done = true  AND verb = "batch"')).toEqual({ isDone: true, verb: "batch" });
  });

  it("refuses other words, and long texts before it cuts them", () => {
    expect(() => parseOperationFilter("done=maybe")).toThrow("filter takes");
    // Cutting these would take hours.
    expect(() => parseOperationFilter(`x${" ".repeat(4_000_000)}x`)).toThrow("4000002 characters, the bound is 256");
  });
});
