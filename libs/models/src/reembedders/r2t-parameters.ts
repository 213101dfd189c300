import { DomainError } from "@parfocal/errors";
import { type CrossRegionOptions, crossRegionParameters } from "../layers/cross-region-attention.ts";
import { attentionParameters, epegParameters } from "../layers/region-attention.ts";
import { fixedRegionCount, type RegionRule } from "../layers/region-grid.ts";
import { squareConvolution, squareConvolutionParameters } from "../layers/square-convolution.ts";
import { type DropoutSite, type StageDeclaration, TILES } from "../model.ts";
import { linearParameters, type ParameterSpec } from "../parameter.ts";
import type { R2tConfig } from "./r2t-config.ts";

/** Name of the R-MSA block number `i`. */
export function regionalName(i: number): string {
  return `regional.${i}`;
}

/** Name of the CR-MSA block. */
export const CROSS = "cross";

/** Names of the blocks in their order. */
export function blockNames({ nLayers, crmsa }: R2tConfig): string[] {
  return [...Array.from({ length: nLayers - 1 }, (_, i) => regionalName(i)), ...(crmsa ? [CROSS] : [])];
}

/** C: width of the encoder on features of width `dIn`. */
export function encoderWidth({ stemWidth }: R2tConfig, dIn: number): number {
  return stemWidth === 0 ? dIn : stemWidth;
}

/** The rule by which the regions of a block are cut. The public program gives CR-MSA 8 × 8 regions whatever R-MSA has. */
export function regionRule(config: R2tConfig, block: "regional" | "cross"): RegionRule {
  if (block === "cross" && config.compat === "reference")
    return { regionNum: 8, regionSize: 0, minRegionNum: 0, minRegionRatio: 0 };
  const { regionNum, regionSize, minRegionNum, minRegionRatio } = config;
  return { regionNum, regionSize, minRegionNum, minRegionRatio };
}

/** Options of the CR-MSA block. */
export function crossOptions({ crmsaK, crmsaHeads, crmsaMlp, qkvBias }: R2tConfig): CrossRegionOptions {
  return { nRepresentatives: crmsaK, heads: crmsaHeads, isMlp: crmsaMlp, hasBias: qkvBias };
}

/** Width of the hidden layer of a feed-forward layer. */
function ffnWidth({ ffnRatio }: R2tConfig, width: number): number {
  return Math.floor(ffnRatio * width);
}

/** Parameters and dropout sites of the whole re-embedder. @throws {DomainError} INVALID_ARGUMENT when heads do not divide the width. */
export function declareR2t(config: R2tConfig, dIn: number): StageDeclaration {
  const width = encoderWidth(config, dIn);
  assertDivides("heads", config.heads, width);
  if (config.crmsa) assertDivides("crmsaHeads", config.crmsaHeads, width);
  const { position, positionKernel, position1d } = config;
  return {
    parameters: [
      ...(config.stemWidth === 0 ? [] : linearParameters("stem", { nIn: dIn, nOut: width, scheme: "xavier-normal" })),
      ...(position === "none"
        ? []
        : squareConvolutionParameters("position", width, squareConvolution(position, positionKernel, position1d))),
      ...blockNames(config).flatMap((name) => blockParameters(config, name, width)),
      ...normParameters("norm", width),
    ],
    dropoutSites: [
      ...(config.stemWidth === 0
        ? []
        : [{ name: "stem", shape: [TILES, width], probability: config.stemDropout } as const]),
      ...blockNames(config).flatMap((name) => blockSites(config, name, width)),
    ],
  };
}

function assertDivides(field: string, heads: number, width: number): void {
  if (width % heads === 0) return;
  throw new DomainError("INVALID_ARGUMENT", `reembed.${field} is ${heads}; it must divide the width ${width}`, {
    details: { field: `reembed.${field}` },
  });
}

function blockParameters(config: R2tConfig, name: string, width: number): ParameterSpec[] {
  const { heads, epegKernel, qkvBias, ffn } = config;
  const isCross = name === CROSS;
  const hidden = ffnWidth(config, width);
  const scheme = "xavier-normal";
  return [
    ...normParameters(`${name}.norm`, width),
    ...(isCross ? crossRegionParameters(name, width, crossOptions(config)) : attentionParameters(name, width, qkvBias)),
    ...(isCross || epegKernel === 0 ? [] : epegParameters(name, heads, epegKernel)),
    ...(ffn
      ? [
          ...normParameters(`${name}.ffn.norm`, width),
          ...linearParameters(`${name}.ffn.up`, { nIn: width, nOut: hidden, scheme }),
          ...linearParameters(`${name}.ffn.down`, { nIn: hidden, nOut: width, scheme }),
        ]
      : []),
  ];
}

function normParameters(name: string, width: number): ParameterSpec[] {
  const common = { shape: [width], decay: false, isTrainable: true } as const;
  return [
    { ...common, name: `${name}.weight`, init: { kind: "ones" } },
    { ...common, name: `${name}.bias`, init: { kind: "zeros" } },
  ];
}

function blockSites(config: R2tConfig, name: string, width: number): DropoutSite[] {
  const { dropout: probability, dropPath, ffn } = config;
  const site = (part: string, columns: number): DropoutSite => ({
    name: `${name}.${part}`,
    shape: [TILES, columns],
    probability,
  });
  const path = (part: string): DropoutSite => ({ name: `${name}.${part}`, shape: [1, 1], probability: dropPath });
  return [
    name === CROSS ? representativeSite(config, width) : site("proj", width),
    path("path"),
    ...(ffn ? [site("ffn.up", ffnWidth(config, width)), site("ffn.down", width), path("ffn.path")] : []),
  ];
}

/** Whether every bag has the same number of representatives. */
export function hasFixedRegions(config: R2tConfig): boolean {
  return fixedRegionCount(regionRule(config, "cross")) !== undefined;
}

/**
 * The dropout site of the representatives `[K·G, C]`; where the number of regions follows from N, the words of at least as many:
 * those of the largest grid, or one set for each tile, as a region of 2 × 2 places or more has a tile of its own.
 */
export function representativeSite(config: R2tConfig, width: number): DropoutSite {
  const { crmsaK, dropout: probability } = config;
  const { regionSize, regionNum } = regionRule(config, "cross");
  const shape = regionSize > 0 ? ([TILES, crmsaK * width] as const) : [regionNum ** 2 * crmsaK, width];
  return { name: `${CROSS}.proj`, shape, probability };
}
