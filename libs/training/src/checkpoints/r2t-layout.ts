import { type CheckpointLayout, type ForeignTensors, numberedTask, type SettingReader, shapeOf } from "./layout.ts";
import { readPooling } from "./r2t-pooling.ts";
import { readSurvivalSetting } from "./survival-setting.ts";

const ENCODER = "online_encoder";
const CROSS = `${ENCODER}.cr_msa`;
const POSITION = `${ENCODER}.pos_embedding`;
const REGIONAL = /^online_encoder\.layers\.(\d+)\./u;

/** Settings of the encoder that leave no trace in the shapes; defaults are the public program's, whose script of survival has more regions. */
function untold(settings: SettingReader, isSurvival: boolean) {
  return {
    heads: settings.count("n_heads", 8),
    crmsaHeads: settings.count("crmsa_heads", 8),
    allShortcut: settings.flag("all_shortcut", false),
    regionNum: settings.count("region_num", isSurvival ? 16 : 8),
    regionSize: settings.count("region_size", 0),
    minRegionNum: settings.count("min_region_num", 0),
    minRegionRatio: settings.number("min_region_ratio", 0),
    stemActivation: settings.choice("act", ["relu", "gelu", "none"], "relu"),
  };
}

/** Names of a block's layers behind ours and theirs. */
const BLOCK_LAYERS = [
  ["norm", "norm"],
  ["qkv", "attn.attn.qkv"],
  ["proj", "attn.attn.proj"],
  ["epeg", "attn.attn.pe"],
  ["phi.down", "attn.phi.0"],
  ["phi.up", "attn.phi.2"],
  ["ffn.norm", "norm2"],
  ["ffn.up", "mlp.fc1"],
  ["ffn.down", "mlp.fc2"],
] as const;

/** Our names of layers as theirs; what follows the last dot is the same. */
function layerNames(nRegional: number): [string, string][] {
  const regional = Array.from({ length: nRegional }, (_, i) => [`reembed.regional.${i}`, `${ENCODER}.layers.${i}`]);
  const blocks = [...regional, ["reembed.cross", CROSS]];
  return [
    ["reembed.stem", "patch_to_emb.0"],
    ...blocks.flatMap(([ours, theirs]) =>
      BLOCK_LAYERS.map(([a, b]): [string, string] => [`${ours}.${a}`, `${theirs}.${b}`]),
    ),
    ["reembed.position.0", `${POSITION}.proj`],
    ["reembed.position.1", `${POSITION}.proj1`],
    ["reembed.position.2", `${POSITION}.proj2`],
    ["reembed.norm", `${ENCODER}.norm`],
    ["head.classifier", "predictor"],
  ];
}

/** The one parameter whose whole name differs. */
const WHOLE_NAMES: ReadonlyMap<string, string> = new Map([["reembed.cross.phi.weight", `${CROSS}.attn.phi`]]);

/**
 * Checkpoints of the public R2T program (`patch_to_emb`, `online_encoder`, `pool_fn`, `predictor`), with or without EPEG, CR-MSA,
 * feed-forward layers and convolutions over the square, of classes or, where the setting `task` says so, of survival.
 *
 * Source: DearCaat/RRT-MIL at 7ecbdfb, names and shapes alone.
 */
export const r2tLayout: CheckpointLayout = {
  name: "r2t",
  isOf: (tensors) => tensors.has("patch_to_emb.0.weight") && tensors.has(`${ENCODER}.norm.weight`),
  read(tensors, settings) {
    const [width = 0, dIn = 0] = shapeOf(tensors, "patch_to_emb.0.weight", 2);
    const [nLogits = 0] = shapeOf(tensors, "predictor.weight", 2);
    const survival = readSurvivalSetting(settings, nLogits);
    const { head, layers, idle } = readPooling(tensors, settings, survival === undefined ? "tanh" : "relu");
    const nRegional = new Set([...tensors.keys()].flatMap((name) => REGIONAL.exec(name)?.[1] ?? [])).size;
    const names = new Map([...layerNames(nRegional), ...layers]);
    const position = readPosition(tensors, settings, nRegional);
    const reembed = {
      kind: "r2t",
      compat: "reference",
      stemWidth: width,
      nLayers: nRegional + 1,
      qkvBias: tensors.has(`${ENCODER}.layers.0.attn.attn.qkv.bias`) || tensors.has(`${CROSS}.attn.attn.qkv.bias`),
      epegKernel: tensors.get(`${ENCODER}.layers.0.attn.attn.pe.weight`)?.shape[2] ?? 0,
      ...crossFields(tensors),
      ...ffnFields(tensors, settings, width),
      ...position.fields,
      ...untold(settings, survival !== undefined),
    };
    return {
      model: { dIn, reembed, head },
      nLogits,
      idle: [...idle, ...position.idle],
      defaultTask: () => survival ?? numberedTask(nLogits),
      foreignName(parameter) {
        const dot = parameter.lastIndexOf(".");
        const layer = parameter.slice(0, dot);
        return WHOLE_NAMES.get(parameter) ?? `${names.get(layer) ?? layer}${parameter.slice(dot)}`;
      },
      foreignShape: epegShape,
    };
  },
};

/** `[heads, k]` of our EPEG as their depth-wise convolution over columns. */
function epegShape(parameter: string, [heads = 0, taps = 0]: readonly number[]): readonly number[] | undefined {
  return parameter.endsWith(".epeg.weight") ? [heads, 1, taps, 1] : undefined;
}

function crossFields(tensors: ForeignTensors) {
  const isMlp = tensors.has(`${CROSS}.attn.phi.2.weight`);
  if (isMlp) {
    const [crmsaK] = shapeOf(tensors, `${CROSS}.attn.phi.2.weight`, 2);
    return { crmsa: true, crmsaMlp: true, crmsaK: crmsaK ?? 0 };
  }
  if (!tensors.has(`${CROSS}.attn.phi`)) return { crmsa: false };
  const [, crmsaK] = shapeOf(tensors, `${CROSS}.attn.phi`, 2);
  return { crmsa: true, crmsaMlp: false, crmsaK: crmsaK ?? 0 };
}

function ffnFields(tensors: ForeignTensors, settings: SettingReader, width: number) {
  const name = [`${ENCODER}.layers.0`, CROSS]
    .map((block) => `${block}.mlp.fc1.weight`)
    .find((each) => tensors.has(each));
  if (name === undefined) return {};
  const [hidden = 0] = shapeOf(tensors, name, 2);
  return { ffn: true, ffnRatio: hidden / width, ffnActivation: settings.choice("ffn_act", ["gelu", "relu"], "gelu") };
}

/**
 * The convolutions over the square. The setting `pos_pos` places them: -1 before the first block, 0 before the second regional
 * one, which many checkpoints have not; the program then never runs them, and they are left out.
 */
function readPosition(tensors: ForeignTensors, settings: SettingReader, nRegional: number) {
  const first = `${POSITION}.proj.weight`;
  if (!tensors.has(first)) return { fields: {}, idle: [] };
  const place = settings.choice("pos_pos", ["-1", "0"], "0");
  if (place === "0" && nRegional < 2)
    return { fields: {}, idle: [...tensors.keys()].filter((name) => name.startsWith(`${POSITION}.`)) };
  const [, , height = 0, across = 0] = shapeOf(tensors, first, 4);
  const fields = {
    position: tensors.has(`${POSITION}.proj1.weight`) ? "ppeg" : "peg",
    positionPlace: place === "0" ? "second" : "first",
    positionKernel: height,
    position1d: across < height,
  };
  return { fields, idle: [] };
}
