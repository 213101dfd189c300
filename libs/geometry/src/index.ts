export { type BlockOrder, blockOrder, slotCount, slotIndex } from "./block.ts";
export { type Crop, cropIndices } from "./crop.ts";
export { DIHEDRAL_ELEMENTS, type DihedralElement, dihedralIndices } from "./dihedral.ts";
export { inferStride, latticeStride } from "./infer-stride.ts";
export {
  assertRegionShape,
  levelOffset,
  levelSide,
  MAX_MAGNIFICATIONS,
  MAX_REGION_TILES,
  magnificationFromLevel,
  type RegionShape,
  tokenCount,
  tokenMagnifications,
  tokensOfLevels,
} from "./region-shape.ts";
export { childrenOf, parentOf, type TokenPlace, tokenIndex, tokenPlaces } from "./token.ts";
export { createViewTable, type ViewTable } from "./views.ts";
