import { commonV1 } from "@parfocal/protocol";
import { describe, expect, it } from "vitest";
import { UsageError } from "../exit-codes.ts";
import { createPretrainSpec } from "./pretrain-spec.ts";

describe("the specification of a pretraining", () => {
  it("leaves to the service whatever nobody said", () => {
    const { mixer, masked, contrastive, ...rest } = createPretrainSpec({ augment: true }, 3);
    expect(mixer).toMatchObject({ levelCount: 3, levels: [], preset: 0 });
    expect(masked?.removalRatio).toBeUndefined();
    expect(contrastive).toBeUndefined();
    expect(Object.values(rest).every((value) => value === undefined)).toBe(true);
  });

  it("has what the options say, single values last", () => {
    const spec = createPretrainSpec(
      {
        ...{ preset: "m", objective: "cmem", ratio: 0.75, regionTiles: 2, levels: [0, 2], sourceTiles: 5 },
        ...{ regions: 1000, batchRegions: 64, lr: 1e-3, validation: 0, minPresence: 0.5, augment: false },
        set: [
          "mixer.width=64",
          "masked.weighting=ratio",
          "contrastive.temperature=0.2",
          "optimiser.beta2=0.9",
          "warmup-fraction=0.1",
        ],
      },
      3,
    );
    expect(spec).toMatchObject({
      mixer: { preset: commonV1.RegionMixer_Preset.PRESET_M, regionTiles: 2, levels: [0, 2], width: 64 },
      masked: { removalRatio: 0.75, weighting: commonV1.MaskedObjective_Weighting.WEIGHTING_RATIO },
      contrastive: { sourceTiles: 5, temperature: 0.2 },
      optimiser: { learningRate: 1e-3, beta2: 0.9 },
      ...{ totalRegions: 1000n, batchRegions: 64, warmupFraction: 0.1 },
      ...{ validationFraction: 0, minPresence: 0.5, augment: false },
    });
  });

  it("refuses what means nothing", () => {
    expect(() => createPretrainSpec({ sourceTiles: 7 }, 3)).toThrow(UsageError);
    expect(() => createPretrainSpec({ set: ["mixer.widths=3"] }, 3)).toThrow(
      /there is no mixer.widths; there are mixer/,
    );
    expect(() => createPretrainSpec({ set: ["nothing=3"] }, 3)).toThrow(/mixer\.….*batchRegions/);
  });
});
