import { HEAD_KINDS, parseTask } from "@parfocal/models";
import { commonV1 } from "@parfocal/protocol";
import { describe, expect, it } from "vitest";
import { mapLabelsOf, mapMeaningOf } from "./map-meaning.ts";

const { KIND_ATTENTION, KIND_CLASS_SCORE, KIND_UNSPECIFIED } = commonV1.MapMeaning_Kind;

describe("what maps mean", () => {
  it.each(HEAD_KINDS.filter((kind) => kind !== "mean" && kind !== "none"))("is known of %s", (kind) => {
    expect(mapMeaningOf(kind).kind).not.toBe(KIND_UNSPECIFIED);
    expect(mapMeaningOf(kind).description).not.toBe("");
  });

  it("is a weight of a head that is not known", () => {
    expect(mapMeaningOf("new")).toMatchObject({
      kind: KIND_UNSPECIFIED,
      description: "the weight that the head gives to the tile",
    });
  });
});

describe("what maps belong to", () => {
  const binary = { kind: "binary", classes: ["no", "yes"], link: "sigmoid" };
  it.each([
    ["each class", binary, 2, KIND_ATTENTION, ["no", "yes"]],
    ["all classes, of one weight", binary, 1, KIND_ATTENTION, []],
    ["the positive class, of one score", binary, 1, KIND_CLASS_SCORE, ["yes"]],
    ["the number, of one score", { kind: "regression", classes: ["age"] }, 1, KIND_CLASS_SCORE, ["age"]],
    ["no class, of an ordinal score", { kind: "ordinal", classes: ["a", "b", "c"] }, 1, KIND_CLASS_SCORE, []],
  ])("is %s", (_, task, nMaps, kind, labels) => {
    expect(mapLabelsOf(parseTask(task), nMaps, { kind })).toEqual(labels);
  });
});
