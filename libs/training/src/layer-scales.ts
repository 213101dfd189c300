import type { Model, ParameterSpec } from "@parfocal/models";

/** Layers of a model as far as step sizes tell them apart, and which of them a parameter belongs to. */
export interface LayerIds {
  /** T, the last one: the head and what follows the re-embedder's last block. */
  readonly last: number;
  /** 0 for the input layer, position codes and tokens; b + 1 for block b; {@link LayerIds.last}. */
  of(name: string): number;
}

/** The layers of a model: with L blocks in its re-embedder, 0 to L + 1. */
export function layerIds({ depth, parameters }: Pick<Model, "depth" | "parameters">): LayerIds {
  const { blocks, output } = depth;
  const isBelow = (name: string, above: string) => name.startsWith(`${above}.`);
  const isReembedders = ({ name }: ParameterSpec) => isBelow(name, "reembed");
  // Without a re-embedder of its own parameters the head alone is left, which is the last layer.
  const last = parameters.some(isReembedders) ? blocks.length + 1 : 0;
  return {
    last,
    of(name) {
      if (!isBelow(name, "reembed") || output.some((above) => isBelow(name, above))) return last;
      return 1 + blocks.findIndex((above) => isBelow(name, above));
    },
  };
}

/**
 * What the step size of each parameter of `specs` is multiplied by: `decay^(T - layer)`, 1 for the head.
 *
 * Source: Bao et al. 2022 (BEiT) and He et al. 2022 (MAE), layer-wise decay of the learning rate.
 */
export function layerScales(
  model: Pick<Model, "depth" | "parameters">,
  specs: readonly ParameterSpec[],
  decay: number,
): number[] {
  const { last, of } = layerIds(model);
  return specs.map(({ name }) => decay ** (last - of(name)));
}
