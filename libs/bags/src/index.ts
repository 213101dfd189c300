export type { Bag, BagMetadata, BagRef } from "./bag.ts";
export { MAX_FEATURES, MAX_TILES } from "./bag-limits.ts";
export { type BagHeader, bagRefFromKey, readBag, readBagHeader, writeBag } from "./bag-store.ts";
export { assertBag, encodeBag } from "./encode-bag.ts";
export { encodersOfDimension, findEncoder } from "./import/encoders.ts";
export { importFile } from "./import/import-file.ts";
export type { ImportedBag, ImportOptions, Inferred, SourceCoordUnit } from "./import/imported-bag.ts";
export { readTorchStateDict } from "./import/torch/read-torch-state-dict.ts";
export { type BagLayout, parseBag } from "./parse-bag.ts";
export { readBagCoords } from "./read-coords.ts";
export type { SafetensorsDtype } from "./safetensors/dtype.ts";
export { encodeSafetensors, encodeSafetensorsParts, type SafetensorsInput } from "./safetensors/encode-safetensors.ts";
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
