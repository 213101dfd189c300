import { DomainError } from "@parfocal/errors";
import { type ConfigReader, createConfigReader } from "../config-reader.ts";
import { MAX_WIDTH } from "../layers/trunk.ts";
import type { ReembedderConfig } from "../model.ts";

/** Configuration of the `r2t` re-embedder; what each field means for the method is in `docs/models.md`. */
export interface R2tConfig extends ReembedderConfig {
  readonly kind: "r2t";
  /** `reference`: with the public program's quirks, so that its weights give its numbers. `corrected`: without them. */
  readonly compat: "reference" | "corrected";
  /** Which tiles share a region: neighbours in storage order, or (corrected only) neighbours on the slide. */
  readonly grid: "storage" | "coordinates";
  /** Width of the layer before the encoder, and so of everything in it; 0: no such layer, the features' own width. */
  readonly stemWidth: number;
  readonly stemActivation: "relu" | "gelu" | "none";
  readonly stemDropout: number;
  /** Blocks in all: the last one is CR-MSA (if `crmsa`), the others are R-MSA. */
  readonly nLayers: number;
  /** Heads of R-MSA. */
  readonly heads: number;
  readonly qkvBias: boolean;
  /** Regions along a side of the square. */
  readonly regionNum: number;
  /** Tiles along a side of a region; not 0: takes the place of `regionNum`. */
  readonly regionSize: number;
  /** Bags of fewer tiles get a single region. */
  readonly minRegionNum: number;
  /** Bags that padding would grow by more than one part in this get a single region; 0: never. */
  readonly minRegionRatio: number;
  /** Taps of the positional convolution EPEG, odd; 0: none. */
  readonly epegKernel: number;
  readonly crmsa: boolean;
  /** Representatives of a region. */
  readonly crmsaK: number;
  readonly crmsaHeads: number;
  /** Whether representatives are scored by two layers instead of one. */
  readonly crmsaMlp: boolean;
  /** Whether the encoder's input is added to its output before the last norm. */
  readonly allShortcut: boolean;
  /** Whether blocks have a feed-forward layer behind the attention. */
  readonly ffn: boolean;
  readonly ffnRatio: number;
  readonly ffnActivation: "gelu" | "relu";
  /** Probability of dropping behind projections and in feed-forward layers. */
  readonly dropout: number;
  /** Probability of dropping a block's whole branch. */
  readonly dropPath: number;
  /** Convolutions over the square as positional encoding beside EPEG. */
  readonly position: "none" | "peg" | "ppeg";
  /** Before the first block, or before the second R-MSA block. */
  readonly positionPlace: "first" | "second";
  readonly positionKernel: number;
  /** Whether the kernels are columns. */
  readonly position1d: boolean;
}

/** Reads the configuration. @throws {DomainError} `INVALID_ARGUMENT`, `UNSUPPORTED_OPERATION` for the 2-D EPEG. */
export function parseR2tConfig(json: unknown): R2tConfig {
  const reader = createConfigReader(json, "reembed");
  refuseEpeg2d(reader);
  const config: R2tConfig = {
    kind: reader.choice("kind", ["r2t"]),
    compat: reader.choice("compat", ["reference", "corrected"], "reference"),
    grid: reader.choice("grid", ["storage", "coordinates"], "storage"),
    ...readStem(reader),
    ...readBlocks(reader),
    ...readRegions(reader),
    ...readPosition(reader),
  };
  reader.assertNoOthers();
  assertConsistent(config);
  return config;
}

function readStem(reader: ConfigReader) {
  return {
    stemWidth: reader.number("stemWidth", { min: 0, max: MAX_WIDTH, isInteger: true, fallback: 512 }),
    stemActivation: reader.choice("stemActivation", ["relu", "gelu", "none"], "relu"),
    stemDropout: reader.number("stemDropout", { min: 0, max: 0.95, fallback: 0.25 }),
  };
}

function readBlocks(reader: ConfigReader) {
  const count = (name: string, fallback: number, max = 64) =>
    reader.number(name, { min: 1, max, isInteger: true, fallback });
  return {
    nLayers: count("nLayers", 2, 12),
    heads: count("heads", 8),
    qkvBias: reader.boolean("qkvBias", true),
    epegKernel: reader.number("epegKernel", { min: 0, max: 63, isInteger: true, fallback: 15 }),
    crmsa: reader.boolean("crmsa", true),
    crmsaK: count("crmsaK", 3),
    crmsaHeads: count("crmsaHeads", 8),
    crmsaMlp: reader.boolean("crmsaMlp", false),
    allShortcut: reader.boolean("allShortcut", false),
    ffn: reader.boolean("ffn", false),
    ffnRatio: reader.number("ffnRatio", { min: 0.25, max: 16, fallback: 4 }),
    ffnActivation: reader.choice("ffnActivation", ["gelu", "relu"], "gelu"),
    dropout: reader.number("dropout", { min: 0, max: 0.95, fallback: 0.1 }),
    dropPath: reader.number("dropPath", { min: 0, max: 0.95, fallback: 0 }),
  };
}

function readRegions(reader: ConfigReader) {
  return {
    regionNum: reader.number("regionNum", { min: 1, max: 64, isInteger: true, fallback: 8 }),
    regionSize: reader.number("regionSize", { min: 0, max: 256, isInteger: true, fallback: 0 }),
    minRegionNum: reader.number("minRegionNum", { min: 0, max: 1_000_000, isInteger: true, fallback: 0 }),
    minRegionRatio: reader.number("minRegionRatio", { min: 0, max: 1000, fallback: 0 }),
  };
}

function readPosition(reader: ConfigReader) {
  return {
    position: reader.choice("position", ["none", "peg", "ppeg"], "none"),
    positionPlace: reader.choice("positionPlace", ["first", "second"], "first"),
    positionKernel: reader.number("positionKernel", { min: 1, max: 31, isInteger: true, fallback: 7 }),
    position1d: reader.boolean("position1d", false),
  };
}

function refuseEpeg2d(reader: ConfigReader): void {
  if (!reader.boolean("epeg2d", false)) return;
  throw new DomainError(
    "UNSUPPORTED_OPERATION",
    "reembed.epeg2d is true; a two-dimensional kernel slides over keys too, does not fold into the queries and is not offered",
  );
}

function assertConsistent(config: R2tConfig): void {
  const { compat, grid, epegKernel, regionSize, nLayers, crmsa, position, positionPlace, positionKernel } = config;
  if (epegKernel !== 0 && epegKernel % 2 === 0) throw invalid("epegKernel", epegKernel, "odd, or 0 for none");
  if (positionKernel % 2 === 0) throw invalid("positionKernel", positionKernel, "odd");
  if (regionSize === 1) throw invalid("regionSize", 1, "0, or at least 2 tiles");
  if (grid === "coordinates" && compat === "reference")
    throw invalid("grid", grid, "storage where compat is reference, which knows no coordinates");
  if (position !== "none" && positionPlace === "second" && nLayers < 3)
    throw invalid("positionPlace", positionPlace, `first where nLayers is ${nLayers}: there is no second R-MSA block`);
  if (nLayers === 1 && !crmsa) throw invalid("nLayers", 1, "at least 2 without CR-MSA, or there is no block at all");
}

function invalid(field: string, value: number | string, expected: string): DomainError {
  return new DomainError("INVALID_ARGUMENT", `reembed.${field} is ${value}; it must be ${expected}`, {
    details: { field: `reembed.${field}` },
  });
}
