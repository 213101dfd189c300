import { describe, expect, it } from "vitest";
import { buildModel, type Model } from "../build-model.ts";
import { sizeOfShape } from "../parameter.ts";
import { doubleFiller, type EagerBag } from "../testing/eager-model.ts";
import { elementErrors, gradientErrors } from "../testing/gradient-check.ts";
import { F12_BAG, f12Model } from "../testing/tiny-dsmil.ts";
import { f5Weights, SLIDES, tinyModel } from "../testing/tiny-roformer.ts";

const TASK = { kind: "binary", classes: ["no", "yes"] };
const ROFORMER = { kind: "roformer", width: 16, heads: 2 };
const TOKENS = { kind: "class-attention", hidden: [16], attentionWidth: 8, heads: 2 };

/** Every option that has a gradient of its own. */
const CASES: readonly (readonly [string, Record<string, unknown>, Record<string, unknown>])[] = [
  ["roformer and class attention", ROFORMER, TOKENS],
  [
    "two blocks of the lang family with a sine code",
    { ...ROFORMER, depth: 2, rotary: "lang", absolute: "sine" },
    TOKENS,
  ],
  [
    "roformer without a rotation and one class token",
    { ...ROFORMER, rotary: "none" },
    { ...TOKENS, branches: "single" },
  ],
  ["dsmil", { kind: "none" }, { kind: "dsmil" }],
  ["dsmil with learned values", { kind: "none" }, { kind: "dsmil", value: "learned", hidden: [5] }],
  [
    "dsmil with a query of one layer and plain values",
    { kind: "none" },
    { kind: "dsmil", query: "linear", value: "learned", valueActivation: "none" },
  ],
  ["roformer and dsmil", ROFORMER, { kind: "dsmil", queryWidth: 8 }],
];

function bagOf(model: Model, nTiles: number): EagerBag {
  const weights = model.parameters.map(({ name, shape }, i): [string, number[]] => {
    const values = doubleFiller(sizeOfShape(shape), 100 + i, 0.5);
    return [name, /norm\d\.weight$/.test(name) ? values.map((value) => 1 + value) : values];
  });
  const grid = Array.from({ length: nTiles }, (_, i) => [i % 2, Math.floor(i / 2) + (i === 2 ? 5 : 0)]).flat();
  const features = doubleFiller(nTiles * model.config.dIn, 7, 2);
  return { features, grid, weights: Object.fromEntries(weights) };
}

describe.each(CASES)("the gradient of %s", (_name, reembed, head) => {
  const model = buildModel({ dIn: 6, reembed, head, task: TASK });

  it("agrees with central differences in f64 for every parameter", () => {
    const errors = gradientErrors(model, bagOf(model, 5));
    expect(Object.keys(errors)).toHaveLength(model.parameters.length);
    expect(Object.entries(errors).filter(([, error]) => !(error < 1e-6))).toEqual([]);
  });
});

/** Models and numbers of the specification. */
const SPECIFIED: readonly (readonly [string, Model, EagerBag])[] = [
  ["F5", tinyModel(), { ...SLIDES[0], weights: f5Weights() }],
  ["F12", f12Model(), F12_BAG],
];

describe.each(SPECIFIED)("the gradient at the numbers of %s (F26)", (_name, model, bag) => {
  it("agrees with central differences by single elements of every parameter", () => {
    const errors = elementErrors(model, bag, 24);
    expect(Object.keys(errors)).toHaveLength(model.parameters.length);
    expect(Object.entries(errors).filter(([, error]) => !(error < 1e-6))).toEqual([]);
  });

  it("agrees with them along directions through all elements of every parameter", () => {
    const errors = gradientErrors(model, bag, 4);
    expect(Object.keys(errors)).toHaveLength(model.parameters.length);
    expect(Object.entries(errors).filter(([, error]) => !(error < 1e-6))).toEqual([]);
  });
});
