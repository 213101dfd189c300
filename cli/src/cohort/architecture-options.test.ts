import { messageFields } from "@parfocal/protocol";
import { describe, expect, it } from "vitest";
import { HEADS, headCaseOf, REEMBEDDERS, reembedderCaseOf } from "./architecture-options.ts";

const fieldsOf = (message: string) => messageFields(`parfocal.common.v1.${message}`).map(({ name }) => name);

describe("the words for what a model is made of", () => {
  it("are there for every head of the contract", () => {
    const kinds = fieldsOf("Head").filter((name) => name !== "trunk");
    expect(new Set(HEADS.map(headCaseOf))).toEqual(new Set(kinds));
  });

  it("are there for every re-embedder of the contract, and for none", () => {
    expect(new Set(REEMBEDDERS.map(reembedderCaseOf))).toEqual(new Set([undefined, ...fieldsOf("Reembedder")]));
  });
});
