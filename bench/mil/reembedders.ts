/**
 * @file Re-embedders in front of the protocol's network, sized for bags of 5 to 40 tiles. Chosen once, before any run, from the
 * size of the bags alone; the network behind them and the recipe stay those of the protocol.
 */
import { commonV1 } from "@parfocal/protocol";

/** Width of the re-embedded tiles: less than half of the features, as the sets have 92 to 548 bags. */
const WIDTH = 64;

/** Heads of 16 features. */
const HEADS = 4;

/**
 * R2T in storage order, as these sets have no coordinates, without the public program's quirks: its square is padded to 8 × 8
 * places at least, so a bag of 5 tiles would be mostly padding that attends, in regions of a single tile. Here bags below 16
 * tiles are one region and larger ones 2 × 2; the taps of EPEG fit into a region.
 */
const R2T: commonV1.Reembedder["kind"] = {
  $case: "r2t",
  value: commonV1.R2tReembedder.fromPartial({
    compat: commonV1.R2tReembedder_Compat.COMPAT_CORRECTED,
    grid: commonV1.R2tReembedder_Grid.GRID_STORAGE,
    stemWidth: WIDTH,
    heads: HEADS,
    crmsaHeads: HEADS,
    regionNum: 2,
    minRegionNum: 16,
    epegKernel: 3,
  }),
};

/**
 * RoFormer without its rotary encoding: tiles without coordinates have no places, and the stage refuses such bags where a model
 * asks for them. What is left is one block of exact self-attention.
 */
const ROFORMER: commonV1.Reembedder["kind"] = {
  $case: "roformer",
  value: commonV1.RoformerReembedder.fromPartial({
    width: WIDTH,
    heads: HEADS,
    mlpRatio: 2,
    rotary: commonV1.RoformerReembedder_Rotary.ROTARY_NONE,
  }),
};

/** By the name that the command line takes. */
export const MIL_REEMBEDDERS: ReadonlyMap<string, commonV1.Reembedder | undefined> = new Map([
  ["none", undefined],
  ["r2t", { kind: R2T }],
  ["roformer", { kind: ROFORMER }],
]);
