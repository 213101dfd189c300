import { describe, expect, it } from "vitest";
import { buildModel } from "../build-model.ts";
import { captureReembed } from "../capture-reembed.ts";
import { countParameters, initialiseParameters, type RandomSource } from "../parameter.ts";
import { fillerWeights } from "../testing/filler.ts";
import { parseMixerConfig } from "./mixer-config.ts";
import { buildPretrainModel } from "./pretraining.ts";

const SMALL = { width: 8, depth: 2, heads: 2, classTokens: 2, regionTiles: 1, levelCount: 2 };
const DECODER = { decoderWidth: 12, decoderHeads: 2 };

/** Scales draw nothing. */
const NO_RNG: RandomSource = { nextFloat: () => Number.NaN, normal: () => Number.NaN, fork: () => NO_RNG };

function embedding(change: object) {
  const reembed = { kind: "region-mixer", ...SMALL, ...change };
  return buildModel({ dIn: 5, reembed, head: { kind: "none" }, task: { kind: "embedding", classes: [] } });
}

describe("LayerScale", () => {
  it("adds two vectors a block in encoder and decoder, which do not decay and begin as told", () => {
    const { parameters } = buildPretrainModel({ dIn: 5, mixer: { ...SMALL, layerScaleInit: 0.25 }, masked: DECODER });
    const scales = parameters.filter(({ name }) => /\.scale[12]$/u.test(name));
    expect(scales.map(({ name, shape, decay }) => [name, shape[0], decay])).toEqual(
      ["reembed", "decoder"].flatMap((part) =>
        [0, 1].flatMap((block) =>
          [1, 2].map((i) => [`${part}.blocks.${block}.scale${i}`, part === "reembed" ? 8 : 12, false]),
        ),
      ),
    );
    const values = initialiseParameters(scales, NO_RNG);
    expect(new Set(Object.values(values).flatMap((each) => [...each]))).toEqual(new Set([0.25]));
    const plain = buildPretrainModel({ dIn: 5, mixer: SMALL, masked: DECODER }).parameters;
    expect(countParameters(parameters) - countParameters(plain)).toBe(2 * 2 * 8 + 2 * 2 * 12);
  });

  it("is folded where the mixer serves: with scales of 1 the graphs are those without it, byte for byte", () => {
    const [scaled, plain] = [embedding({ layerScaleInit: 1 }), embedding({})];
    const weights = fillerWeights(plain.parameters);
    const ones = scaled.parameters.flatMap(({ name, shape }) =>
      weights[name] === undefined ? [[name, new Float32Array(shape[0] ?? 0).fill(1)] as const] : [],
    );
    const own = { ...weights, ...Object.fromEntries(ones) };
    expect(captureReembed(scaled, own)).toEqual(captureReembed(plain, weights));
  });

  it.each([
    ["layerScaleInit", -0.1, "reembed.layerScaleInit is -0.1; it must be a number from 0 to 1"],
    ["layerScaleInit", 2, "reembed.layerScaleInit is 2; it must be a number from 0 to 1"],
    ["dropPath", 1, "reembed.dropPath is 1; it must be a number from 0 to 0.95"],
  ])("and drop-path have bounds: %s %d", (field, value, message) => {
    expect(() => parseMixerConfig({ kind: "region-mixer", [field]: value })).toThrow(message);
  });
});
