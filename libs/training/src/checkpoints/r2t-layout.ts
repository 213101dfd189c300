import { DomainError } from "@parfocal/errors";
import type { Task } from "@parfocal/models";
import { type CheckpointLayout, type ForeignTensors, type SettingReader, shapeOf } from "./layout.ts";
import { readPooling } from "./r2t-pooling.ts";

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

function refuseOthers(tensors: ForeignTensors): void {
  const variant = [...tensors.keys()].find((name) => /\.(?:norm2|mlp|pos_embedding|landmark)|pos_emb/u.test(name));
  if (variant !== undefined)
    throw new DomainError(
      "UNSUPPORTED_FORMAT",
      `the checkpoint has ${variant}: that variant of R2T cannot be imported`,
    );
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
    ["head.classifier", "predictor"],
  ]);
}

/** The one parameter whose whole name differs. */
const WHOLE_NAMES: ReadonlyMap<string, string> = new Map([["reembed.cross.phi.weight", `${CROSS}.attn.phi`]]);

/**
 * Checkpoints of the public R2T program (`patch_to_emb`, `online_encoder`, `pool_fn`, `predictor`).
 *
 * Source: DearCaat/RRT-MIL at 7ecbdfb, names and shapes alone.
 */
export const r2tLayout: CheckpointLayout = {
  name: "r2t",
  isOf: (tensors) => tensors.has("patch_to_emb.0.weight") && tensors.has(`${ENCODER}.norm.weight`),
  read(tensors, settings) {
    refuseOthers(tensors);
    const [width, dIn] = shapeOf(tensors, "patch_to_emb.0.weight", 2);
    const [nLogits] = shapeOf(tensors, "predictor.weight", 2);
    const { head, layers, idle } = readPooling(tensors, settings);
    const regional = new Set([...tensors.keys()].flatMap((name) => REGIONAL.exec(name)?.[1] ?? []));
    const names = new Map([...layerNames(regional.size), ...layers]);
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
    return {
      model: { dIn: dIn ?? 0, reembed, head },
      nLogits: nLogits ?? 0,
      idle,
      defaultTask: () => numberedTask(nLogits ?? 0),
      foreignName(parameter) {
        const dot = parameter.lastIndexOf(".");
        const layer = parameter.slice(0, dot);
        return WHOLE_NAMES.get(parameter) ?? `${names.get(layer) ?? layer}${parameter.slice(dot)}`;
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
