import { DomainError } from "@parfocal/errors";
import type { Task } from "@parfocal/models";
import { type CheckpointLayout, type ForeignTensors, type SettingReader, shapeOf } from "./layout.ts";

const ENCODER = "online_encoder";
const CROSS = `${ENCODER}.cr_msa`;
const REGIONAL = /^online_encoder\.layers\.(\d+)\./u;

/** Settings of the encoder that leave no trace in the shapes; defaults are the public program's. */
function untold(settings: SettingReader) {
  return {
    heads: settings.count("n_heads", 8),
    crmsaHeads: settings.count("crmsa_heads", 8),
    allShortcut: settings.flag("all_shortcut", false),
    regionNum: settings.count("region_num", 8),
    stemActivation: settings.choice("act", ["relu", "gelu", "none"], "relu"),
  };
}

function refuseOthers(tensors: ForeignTensors, settings: SettingReader): void {
  const variant = [...tensors.keys()].find((name) => /\.(?:norm2|mlp|pos_embedding|landmark)|pos_emb/u.test(name));
  if (variant !== undefined)
    throw new DomainError(
      "UNSUPPORTED_FORMAT",
      `the checkpoint has ${variant}: that variant of R2T cannot be imported`,
    );
  if (settings.choice("da_act", ["tanh", "relu"], "tanh") === "tanh") return;
  throw new DomainError("UNSUPPORTED_FORMAT", "setting da_act is relu; attention pooling here has tanh alone");
}

/** Our names of layers as theirs; what follows the last dot is the same. */
function layerNames(nRegional: number): ReadonlyMap<string, string> {
  const regional = Array.from({ length: nRegional }, (_, i): [string, string][] => {
    const [ours, theirs] = [`reembed.regional.${i}`, `${ENCODER}.layers.${i}`];
    return [
      [`${ours}.norm`, `${theirs}.norm`],
      [`${ours}.qkv`, `${theirs}.attn.attn.qkv`],
      [`${ours}.proj`, `${theirs}.attn.attn.proj`],
      [`${ours}.epeg`, `${theirs}.attn.attn.pe`],
    ];
  });
  return new Map([
    ["reembed.stem", "patch_to_emb.0"],
    ...regional.flat(),
    ["reembed.cross.norm", `${CROSS}.norm`],
    ["reembed.cross.qkv", `${CROSS}.attn.attn.qkv`],
    ["reembed.cross.proj", `${CROSS}.attn.attn.proj`],
    ["reembed.cross.phi.down", `${CROSS}.attn.phi.0`],
    ["reembed.cross.phi.up", `${CROSS}.attn.phi.2`],
    ["reembed.norm", `${ENCODER}.norm`],
    ["head.attention.w", "pool_fn.attention.attention.2"],
    ["head.classifier", "predictor"],
  ]);
}

/** Parameters whose whole name differs. The public pooling has no bias in its hidden layer. */
const WHOLE_NAMES: ReadonlyMap<string, string | undefined> = new Map([
  ["reembed.cross.phi.weight", `${CROSS}.attn.phi`],
  ["head.attention.v.weight", "pool_fn.attention.attention.0.weight"],
  ["head.attention.v.bias", undefined],
]);

/**
 * Checkpoints of the public R2T program (`patch_to_emb`, `online_encoder`, `pool_fn`, `predictor`).
 *
 * Source: DearCaat/RRT-MIL at 7ecbdfb, names and shapes alone.
 */
export const r2tLayout: CheckpointLayout = {
  name: "r2t",
  isOf: (tensors) => tensors.has("patch_to_emb.0.weight") && tensors.has(`${ENCODER}.norm.weight`),
  read(tensors, settings) {
    refuseOthers(tensors, settings);
    const [width, dIn] = shapeOf(tensors, "patch_to_emb.0.weight", 2);
    const [nLogits] = shapeOf(tensors, "predictor.weight", 2);
    const [attentionWidth] = shapeOf(tensors, "pool_fn.attention.attention.0.weight", 2);
    const regional = new Set([...tensors.keys()].flatMap((name) => REGIONAL.exec(name)?.[1] ?? []));
    const names = layerNames(regional.size);
    const reembed = {
      kind: "r2t",
      compat: "reference",
      stemWidth: width ?? 0,
      nLayers: regional.size + 1,
      qkvBias: tensors.has(`${ENCODER}.layers.0.attn.attn.qkv.bias`) || tensors.has(`${CROSS}.attn.attn.qkv.bias`),
      epegKernel: tensors.get(`${ENCODER}.layers.0.attn.attn.pe.weight`)?.shape[2] ?? 0,
      ...crossFields(tensors),
      ...untold(settings),
    };
    const head = { kind: "abmil", hidden: [], attentionWidth: attentionWidth ?? 0, attentionDropout: 0 };
    return {
      model: { dIn: dIn ?? 0, reembed, head },
      nLogits: nLogits ?? 0,
      defaultTask: () => numberedTask(nLogits ?? 0),
      foreignName(parameter) {
        if (WHOLE_NAMES.has(parameter)) return WHOLE_NAMES.get(parameter);
        const dot = parameter.lastIndexOf(".");
        return `${names.get(parameter.slice(0, dot)) ?? parameter.slice(0, dot)}${parameter.slice(dot)}`;
      },
    };
  },
};

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

function numberedTask(nLogits: number): Task {
  const classes = Array.from({ length: nLogits }, (_, k) => `${k}`);
  return { kind: nLogits === 2 ? "binary" : "multiclass", classes, link: "softmax" };
}
