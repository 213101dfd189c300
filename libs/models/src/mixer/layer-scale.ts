import { tf } from "@parfocal/tensor";
import type { ForwardContext } from "../model.ts";
import type { ParameterSpec, Weights } from "../parameter.ts";

// Legend: W width of a block. The branches of a block are attention and feed-forward.

/** The layer that ends each branch of a block, with the scale of what it gives. */
const SCALE_OF: Readonly<Record<string, string>> = { out: "scale1", down: "scale2" };

/** Parameters `<name>.scale1|scale2` `[W]`, all `init` at first; none where that is 0. They do not decay. */
export function layerScaleParameters(name: string, width: number, init: number): ParameterSpec[] {
  if (init === 0) return [];
  return Object.values(SCALE_OF).map((scale) => ({
    ...{ name: `${name}.${scale}`, shape: [width], init: { kind: "constant", value: init } },
    ...{ decay: false, isTrainable: true },
  }));
}

/** A part of a block's weights, such as `out.weight`; with LayerScale the layers that end a branch are multiplied by its scale. */
export type BlockPart = <T extends tf.Tensor>(part: string) => T;

/**
 * The parts of the block `name`. `scale ⊙ (W x + b)` is `(diag(scale) W) x + scale ⊙ b`: the scale costs the rows nothing.
 *
 * Source: Touvron et al. 2021 (CaiT), LayerScale.
 */
export function blockParts(name: string, layerScaleInit: number, context: ForwardContext): BlockPart {
  return <T extends tf.Tensor>(part: string): T => {
    const value = context.parameter<T>(`${name}.${part}`);
    const scaleName = SCALE_OF[part.split(".")[0] ?? ""];
    if (layerScaleInit === 0 || scaleName === undefined) return value;
    const scale = context.parameter<tf.Tensor1D>(`${name}.${scaleName}`);
    return tf.mul<T>(value, value.rank === 2 ? tf.expandDims(scale, 1) : scale);
  };
}

/**
 * The weights of an encoder under `prefix` without LayerScale that gives the same: scales multiplied into the layers before them, and
 * left out. Other weights stay.
 */
export function foldLayerScales(weights: Weights, prefix: string): Weights {
  const entries = Object.entries(weights).flatMap(([name, values]): [string, Float32Array<ArrayBuffer>][] => {
    const [root, blocks, index, layer = ""] = name.split(".");
    if (root !== prefix || blocks !== "blocks") return [[name, values]];
    if (Object.values(SCALE_OF).includes(layer)) return [];
    const scale = weights[`${prefix}.blocks.${index}.${SCALE_OF[layer]}`];
    return [[name, scale === undefined ? values : scaledRows(values, scale)]];
  });
  return Object.fromEntries(entries);
}

/** Rows `[W, I]` (or a vector `[W]`), each times its scale. */
function scaledRows(values: Float32Array<ArrayBuffer>, scale: Float32Array): Float32Array<ArrayBuffer> {
  const width = values.length / scale.length;
  return values.map((value, i) => value * (scale[Math.floor(i / width)] ?? 1));
}
