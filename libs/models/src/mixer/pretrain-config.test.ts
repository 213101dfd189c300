import { describe, expect, it } from "vitest";
import { countParameters, sizeOfShape } from "../parameter.ts";
import { parseMixerConfig } from "./mixer-config.ts";
import { parsePretrainModel } from "./pretrain-config.ts";
import { buildPretrainModel } from "./pretraining.ts";
import { countTokens } from "./token-layout.ts";

const mixer = (change: Record<string, unknown> = {}) => parseMixerConfig({ kind: "region-mixer", ...change });

/** The specification's formula, whose last term is norms and biases: 8 W in a block, W of the projection, 2 W of the last norm. */
function encoderCount(width: number, depth: number, inner: number): number {
  const blocks = depth * (4 * width * width + 3 * width * inner + 8 * width);
  return 1280 * width + 189 * width + 4 * width + blocks + 3 * width;
}

describe("presets of the mixer", () => {
  it.each([
    ["s", 384, 6, 1024, 11_202_048, 7_250_688],
    ["m", 512, 8, 1365, 25_950_208, 15_693_824],
    ["b", 768, 12, 2048, 86_141_952, 27_474_176],
  ])("%s has the parameters of the formula", (preset, width, depth, inner, encoder, decoder) => {
    const { parameters } = buildPretrainModel({ dIn: 1280, mixer: { preset } });
    const count = (prefix: string) => countParameters(parameters.filter(({ name }) => name.startsWith(prefix)));
    expect(encoderCount(width, depth, inner)).toBe(encoder);
    expect([count("reembed."), count("decoder.")]).toEqual([encoder, decoder]);
  });

  it("let neither positions nor tokens nor vectors decay (M12)", () => {
    const { parameters } = buildPretrainModel({ dIn: 12, mixer: { regionTiles: 1 } });
    const codes = parameters.filter(({ name }) => /\.(positions|tokens|mask)$/u.test(name));
    expect(codes.map(({ name }) => name)).toHaveLength(4);
    for (const { decay, shape } of [...codes, ...parameters.filter((spec) => spec.shape.length === 1)])
      expect([decay, sizeOfShape(shape) > 0]).toEqual([false, true]);
  });
});

describe("a mixer's configuration", () => {
  it("has the tokens of its magnifications", () => {
    expect([1, 2, 3, 4].map((regionTiles) => countTokens(mixer({ regionTiles })))).toEqual([21, 84, 189, 336]);
    expect([1, 2, 3, 4].map((levelCount) => countTokens(mixer({ levelCount })))).toEqual([9, 45, 189, 765]);
    expect([[0], [1], [2]].map((levels) => countTokens(mixer({ levels })))).toEqual([9, 36, 144]);
  });

  it("comes back from what it was read to", () => {
    const config = mixer({ preset: "m", levels: [2, 0], innerRatio: 2 });
    expect(config).toMatchObject({ width: 512, depth: 8, heads: 8, levels: [0, 2] });
    expect(mixer({ ...config })).toEqual(config);
    const pretrain = parsePretrainModel({ dIn: 8, mixer: { preset: "b" }, contrastive: {} });
    expect(pretrain.masked).toEqual({
      ...{ removalRatio: 0.5, weighting: "unbiased", decoderWidth: 1024, decoderDepth: 2, decoderHeads: 16 },
    });
    expect(pretrain.contrastive).toEqual({
      ...{ sourceTiles: 7, temperature: 0.1, weight: 1, projectorWidth: 2048, projectionWidth: 256 },
      dropSameSlideNegatives: false,
    });
    expect(parsePretrainModel(JSON.parse(JSON.stringify(pretrain)))).toEqual(pretrain);
  });

  it.each([
    [{ mixer: { heads: 5 } }, "pretrain.mixer.width is 384; 5 heads need a multiple of 5"],
    [{ mixer: { levels: [1, 1] } }, "pretrain.mixer.levels is [1, 1]; it must name each level once"],
    [{ mixer: { regionTiles: 16, levelCount: 5 } }, "a region would have 87296 tiles, at most 8192"],
    [{ masked: { decoderWidth: 10, decoderHeads: 3 } }, "pretrain.masked.decoder.width is 10; 3 heads"],
    [
      { contrastive: { sourceTiles: 2 } },
      "pretrain.contrastive.sourceTiles is 2; crops of 3 tiles need at least as many",
    ],
    [{ contrastive: { tau: 1 } }, 'pretrain.contrastive has an unknown field "tau"'],
  ])("%j is refused by name", (change, message) => {
    expect(() => parsePretrainModel({ dIn: 8, ...change })).toThrow(message);
  });

  it("is refused when it removes nothing or everything", () => {
    const build = () => buildPretrainModel({ dIn: 8, mixer: { regionTiles: 1, levelCount: 1 } });
    expect(build).toThrow("of 1 tokens it must keep and remove at least one");
  });
});
