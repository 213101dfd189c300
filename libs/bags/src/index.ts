export type { Bag, BagMetadata, BagRef } from "./bag.ts";
export { MAX_FEATURES, MAX_TILES } from "./bag-limits.ts";
export { type BagHeader, bagRefFromKey, readBag, readBagHeader, writeBag } from "./bag-store.ts";
export { bagOfDerived, derivedFolder } from "./derived-folder.ts";
export { assertBag, type BagFrame, encodeBag, encodeBagFrame } from "./encode-bag.ts";
export { encoderNameFrom, encodersOfDimension, findEncoder } from "./import/encoders.ts";
export { importFile } from "./import/import-file.ts";
export type { ImportedBag, ImportOptions, Inferred, SourceCoordUnit } from "./import/imported-bag.ts";
export { float64FromTensor } from "./import/tensor-values.ts";
export { readTorchStateDict } from "./import/torch/read-torch-state-dict.ts";
export { type BagLayout, parseBag } from "./parse-bag.ts";
export { readBagCoords } from "./read-coords.ts";
export { type BlockIndex, findBlock, hasSlot, type RegionGrid, regionGridOf, slotRank } from "./regions/block-index.ts";
export { blockIndexOf, type RegionTiles } from "./regions/block-index-of.ts";
export { type BuildProgress, type BuiltRegions, buildRegionBag, type RegionBuild } from "./regions/build-region-bag.ts";
export type { RegionReport } from "./regions/ground-bags.ts";
export { type IndexedBag, openIndexedBag, readBlockIndex } from "./regions/indexed-bag.ts";
export { assertNamedLevels } from "./regions/named-levels.ts";
export type { RegionOptions } from "./regions/region-options.ts";
export { type OriginOptions, regionOrigins } from "./regions/region-origins.ts";
export {
  createRegionReader,
  type RegionPlace,
  type RegionReader,
  type RegionReaderOptions,
} from "./regions/region-reader.ts";
export {
  createRegionTokens,
  gatherTokensInto,
  type RegionSource,
  type RegionTokens,
} from "./regions/region-source.ts";
export { TILE_FLAGS } from "./regions/tile-flags.ts";
export type { SafetensorsDtype } from "./safetensors/dtype.ts";
export {
  encodeSafetensors,
  encodeSafetensorsHeader,
  encodeSafetensorsParts,
  type SafetensorsInput,
} from "./safetensors/encode-safetensors.ts";
export {
  parseSafetensorsHeader,
  type SafetensorsHeader,
  type SafetensorsTensorInfo,
  safetensorsHeaderEnd,
} from "./safetensors/parse-header.ts";
export {
  float32FromTensor,
  parseSafetensors,
  type SafetensorsFile,
  type SafetensorsTensor,
} from "./safetensors/parse-safetensors.ts";
export { tileStridePx } from "./tile-stride.ts";
