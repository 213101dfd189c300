import { describe, expect, it } from "vitest";
import { buildModel, type Model } from "../build-model.ts";
import { countParameters } from "../parameter.ts";
import { type Doubles, runInDoubles, stemInDoubles, tilesInDoubles } from "../testing/eager-model.ts";
import { f5Weights, SLIDES, TINY_HEAD, tinyModel } from "../testing/tiny-roformer.ts";

const TASK = { kind: "binary", classes: ["no", "yes"] };
const [FIRST, SECOND] = SLIDES;

const LOGITS = [
  [0.28844163, 0.00333329],
  [0.29116616, -0.01315477],
] as const;

function logitsOf(model: Model, slide: { readonly features: Doubles; readonly grid?: Doubles }): number[] {
  const bag = { ...slide, weights: f5Weights() };
  return runInDoubles(model, bag, ({ logits }) => Array.from(logits.dataSync()));
}

function expectNear(found: Doubles, expected: Doubles, tolerance = 1e-7): void {
  expect(found).toHaveLength(expected.length);
  for (const [i, value] of expected.entries())
    expect(Math.abs((found[i] ?? Number.NaN) - value)).toBeLessThan(tolerance);
}

describe("the tiny model of F5", () => {
  it("projects and re-embeds as specified", () => {
    const projected = stemInDoubles(tinyModel(), { ...FIRST, weights: f5Weights() });
    expectNear(projected.slice(0, 4), [-0.10458524, -0.22087707, 0.35112506, 0.16246178]);
    const tiles = tilesInDoubles(tinyModel(), { ...FIRST, weights: f5Weights() });
    expectNear(tiles.slice(0, 4), [-0.1566305, -0.64739576, -0.40392749, -0.13000963]);
    expectNear(tiles.slice(32, 36), [0.15670825, -0.79511083, -0.41623791, -0.55198074]);
    expect(tiles.reduce((sum, value) => sum + value, 0)).toBeCloseTo(-10.80293376, 7);
  });

  it.each([0, 1] as const)("gives the logits of slide %i", (i) => {
    expectNear(logitsOf(tinyModel(), SLIDES[i]), LOGITS[i]);
  });

  it.each([
    ["no rotation", { rotary: "none" }, [0.28716479, 0.00331661]],
    ["the lang family", { rotary: "lang" }, [0.28547893, 0.00446957]],
  ] as const)("gives the logits of %s", (_name, reembed, expected) => {
    expectNear(logitsOf(tinyModel(reembed), FIRST), expected);
  });

  it("gives other logits with columns and rows exchanged, the same when shifted or in another order", () => {
    expectNear(logitsOf(tinyModel(), { ...FIRST, grid: [0, 0, 0, 1, 3, 2] }), [0.28911053, 0.00238256]);
    expectNear(logitsOf(tinyModel(), { ...FIRST, grid: [7, 2, 8, 2, 9, 5] }), LOGITS[0]);
    const rows = (values: Doubles, width: number) => [2, 0, 1].flatMap((i) => values.slice(i * width, (i + 1) * width));
    const mixed = { features: rows(FIRST.features, 6), grid: rows(FIRST.grid, 2) };
    expectNear(logitsOf(tinyModel(), mixed), LOGITS[0]);
  });

  it.each([
    [0, 0, [0.33363378, 0.33369077, 0.33267545]],
    [1, 1, [0.33287203, 0.33111782, 0.33601015]],
  ] as const)("gives the attention of class %i by head %i", (token, head, expected) => {
    const weights = f5Weights();
    // A token of zeros attends evenly: what is left of the mean over two heads is the other head's.
    const tokens = (weights["head.tokens"] ?? []).map((value, i) => (Math.floor((i % 8) / 4) === head ? value : 0));
    const attention = runInDoubles(
      tinyModel(),
      { ...FIRST, weights: { ...weights, "head.tokens": tokens } },
      (output) => Array.from(output.attention?.dataSync() ?? []),
    );
    const column = attention.filter((_, i) => i % 2 === token).map((mean) => 2 * mean - 1 / 3);
    expectNear(column, expected);
  });

  it("gives attention that is the mean over heads and sums to one over the tiles", () => {
    const attention = runInDoubles(tinyModel(), { ...FIRST, weights: f5Weights() }, (output) =>
      Array.from(output.attention?.dataSync() ?? []),
    );
    expect(attention).toHaveLength(6);
    for (const token of [0, 1]) {
      const column = attention.filter((_, i) => i % 2 === token);
      expect(column.reduce((sum, value) => sum + value, 0)).toBeCloseTo(1, 12);
    }
  });
});

describe("slides of one patient (F6)", () => {
  it("are re-embedded one by one, so none sees another", () => {
    const alone = SLIDES.map((slide) => tilesInDoubles(tinyModel(), { ...slide, weights: f5Weights() }));
    const noisy = { ...SECOND, features: SECOND.features.map(() => 1e4) };
    const after = [FIRST, noisy].map((slide) => tilesInDoubles(tinyModel(), { ...slide, weights: f5Weights() }));
    expect(after[0]).toEqual(alone[0]);
    expectNear(logitsOf(tinyModel(), FIRST), LOGITS[0]);
    expectNear(logitsOf(tinyModel(), SECOND), LOGITS[1]);
  });
});

describe("parameters", () => {
  const count = (head: Record<string, unknown>, reembed: Record<string, unknown> = {}) =>
    countParameters(buildModel({ dIn: 1024, reembed: { kind: "roformer", ...reembed }, head, task: TASK }).parameters);

  it("are as many as F10 says", () => {
    expect(count({ kind: "class-attention" })).toBe(4_335_618);
    expect(count({ kind: "dsmil" })).toBe(3_762_436);
    expect(count({ kind: "dsmil" }, { depth: 2 }) - count({ kind: "dsmil" })).toBe(3_152_384);
  });
});

describe("options", () => {
  it("place a sine code as in F9", () => {
    const model = buildModel({
      dIn: 8,
      reembed: { kind: "roformer", width: 8, heads: 1, rotary: "none", absolute: "sine" },
      head: { kind: "mean", hidden: [] },
      task: TASK,
    });
    const zero = Object.fromEntries(
      model.parameters.map(({ name, shape }) => [
        name,
        new Array(shape.reduce((a, b) => a * b, 1)).fill(0) as number[],
      ]),
    );
    const tiles = tilesInDoubles(model, { features: new Array(8).fill(0) as number[], grid: [3, 5], weights: zero });
    expectNear(tiles, [0.14112001, -0.9899925, 0.0299955, 0.99955003, -0.95892427, 0.28366219, 0.04997917, 0.99875026]);
  });

  it("ask for the grid only when a place is encoded", () => {
    expect(tinyModel().sideInputs).toEqual(["grid"]);
    expect(tinyModel({ rotary: "none", absolute: "sine" }).sideInputs).toEqual(["grid"]);
    expect(tinyModel({ rotary: "none" }).sideInputs).toEqual([]);
  });

  it.each([
    [{ width: 20, heads: 8 }, "reembed.width is 20; 8 heads of pairs on two axes need a multiple of 32"],
    [{ width: 20, heads: 8, rotary: "none" }, "reembed.width is 20; 8 heads need a multiple of 8"],
    [{ depth: 5 }, "reembed.depth is 5; it must be a whole number from 1 to 4"],
    [{ rotary: "spiral" }, 'reembed.rotary is "spiral"; it must be one of pixel, lang, none'],
    [{ region: 8 }, 'reembed has an unknown field "region"'],
  ])("refuse %j", (reembed, message) => {
    expect(() => tinyModel(reembed)).toThrow(message);
  });

  it("go into the configuration with every default", () => {
    const { reembed } = buildModel({ dIn: 6, reembed: { kind: "roformer" }, head: TINY_HEAD, task: TASK }).config;
    expect(reembed).toEqual({
      ...{ kind: "roformer", width: 512, depth: 1, heads: 8, mlpRatio: 4, dropout: 0.25 },
      ...{ rotary: "pixel", maxFrequency: 400, base: 10_000, absolute: "none" },
    });
  });
});

describe("a bag of one tile", () => {
  it.each(["pixel", "lang", "none"])("is finite with %s rotation (F27)", (rotary) => {
    const logits = logitsOf(tinyModel({ rotary }), { features: FIRST.features.slice(0, 6), grid: [0, 0] });
    expect(logits.every(Number.isFinite)).toBe(true);
  });
});
