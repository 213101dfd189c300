import { commonV1, gatewayV1 } from "@parfocal/protocol";
import { describe, expect, it } from "vitest";
import { UsageError } from "../exit-codes.ts";
import { startedFrom, withLevelsOf } from "./start-model.ts";
import { createTrainingSpec } from "./training-spec.ts";

const MIXER = {
  kind: "region-mixer",
  output: "contextualised",
  regionTiles: 2,
  levelCount: 3,
  levels: [0, 1, 2],
  width: 64,
};
const configOf = (reembed: object) => ({ configJson: JSON.stringify({ reembed, head: { kind: "none" } }) });
const mixerOf = (spec: commonV1.TrainingSpec) => {
  const kind = spec.architecture?.reembedder?.kind;
  if (kind?.$case !== "regionMixer") throw new Error(`it is ${kind?.$case}`);
  return kind.value;
};

describe("a training that starts from a mixer", () => {
  const blank = commonV1.TrainingSpec.fromPartial({});

  it("has the mixer's configuration without being told, and pools tiles as they come", () => {
    const spec = createTrainingSpec({ reembed: "region-mixer" }, startedFrom(blank, configOf(MIXER)));
    expect(mixerOf(spec)).toMatchObject({ regionTiles: 2, levelCount: 3, levels: [0, 1, 2], width: 64, output: 0 });
    expect(spec.architecture?.head?.trunk?.hidden).toEqual([]);
    expect(spec.recipe?.seed).toBe(1n);
  });

  it("keeps what was said beside it, also where it differs", () => {
    const said = createTrainingSpec({ reembed: "region-mixer", levels: [2], set: ["reembed.dropout=0.25"] });
    const spec = startedFrom(said, configOf(MIXER));
    expect(mixerOf(spec)).toMatchObject({ levels: [2], dropout: 0.25, width: 64 });
    const compressed = createTrainingSpec({ mixerOutput: "compressed" }, spec);
    expect(mixerOf(compressed).output).toBe(commonV1.RegionMixer_Output.OUTPUT_COMPRESSED);
  });

  it("looks at some of its magnifications alone where these are said, in either way", () => {
    for (const said of [{ levels: [2] }, { set: ["reembed.levels=2"] }]) {
      const spec = createTrainingSpec({ reembed: "region-mixer", ...said }, startedFrom(blank, configOf(MIXER)));
      expect(mixerOf(spec)).toMatchObject({ levels: [2], levelCount: 3, regionTiles: 2, width: 64 });
    }
  });

  it("has the scales of the mixer's branches, and may drop others", () => {
    const base = startedFrom(blank, configOf({ ...MIXER, layerScaleInit: 0.1, dropPath: 0.2 }));
    const spec = createTrainingSpec({ reembed: "region-mixer", set: ["reembed.dropPath=0.3"] }, base);
    expect(mixerOf(spec)).toMatchObject({ layerScaleInit: 0.1, dropPath: 0.3 });
  });

  it("has of a preset's mixer what a training may choose, whatever size, levels and regions the mixer has", () => {
    const preset = createTrainingSpec({
      ...{ reembed: "region-mixer", levels: [0, 1, 2] },
      set: ["reembed.width=384", "reembed.dropout=0.25", "reembed.regionTiles=3"],
    });
    const spec = startedFrom(preset, configOf({ ...MIXER, levels: [0, 2] }), { isPreset: true });
    expect(mixerOf(spec)).toMatchObject({ width: 64, levels: [0, 2], regionTiles: 2, dropout: 0.25 });
  });

  it("is left alone for other re-embedders", () => {
    const r2t = createTrainingSpec({ reembed: "r2t" });
    expect(startedFrom(r2t, configOf(MIXER))).toBe(r2t);
    expect(startedFrom(blank, configOf({ kind: "r2t" }))).toBe(blank);
    expect(startedFrom(blank, { configJson: "" })).toBe(blank);
  });
});

describe("options for models that look at magnifications", () => {
  const bags = [gatewayV1.Bag.fromPartial({ info: {} }), gatewayV1.Bag.fromPartial({ info: { levelCount: 4 } })];

  it("take the number of magnifications from the bags unless it is given", () => {
    const levels = withLevelsOf(createTrainingSpec({ reembed: "levels", levels: [1] }), bags);
    expect(levels.architecture?.reembedder?.kind).toMatchObject({
      $case: "levels",
      value: { levels: [1], levelCount: 4 },
    });
    const given = createTrainingSpec({ reembed: "region-mixer", set: ["reembed.levelCount=2"] });
    expect(mixerOf(withLevelsOf(given, bags)).levelCount).toBe(2);
    const plain = createTrainingSpec({ reembed: "r2t" });
    expect(withLevelsOf(plain, bags)).toBe(plain);
  });

  it("set groups, frozen epochs and the decay by layer", () => {
    const spec = createTrainingSpec({
      ...{ reembed: "region-mixer", frozenEpochs: 1, layerDecay: 0.75, groups: "min-loss", groupNegatives: "max" },
    });
    expect(spec.recipe).toMatchObject({ frozenEpochs: 1, layerDecay: 0.75 });
    const { KIND_MIN_LOSS } = commonV1.GroupRule_Kind;
    expect(spec.groups).toEqual({ kind: KIND_MIN_LOSS, negatives: commonV1.GroupRule_Negatives.NEGATIVES_MAX });
    expect(createTrainingSpec({ set: ["groups.kind=min-loss"] }).groups?.kind).toBe(KIND_MIN_LOSS);
    expect(createTrainingSpec({}, spec).groups).toEqual(spec.groups);
  });

  it.each([{ levels: [1] }, { reembed: "r2t", mixerOutput: "compressed" }, { groupNegatives: "min" }] as const)(
    "refuse %j",
    (options) => {
      expect(() => createTrainingSpec(options)).toThrow(UsageError);
    },
  );
});
