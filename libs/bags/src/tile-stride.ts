import type { BagMetadata } from "./bag.ts";

/**
 * Distance between neighbouring tiles in pixels at the magnification that was encoded, as `tilePx` counts them: the same for slides whose level
 * 0 differs. As the bag states it, or from the stride in the pixels of its coordinates where their scale is known; in a region
 * bag that of its finest tiles. Undefined: the bag does not tell.
 */
export function tileStridePx(metadata: BagMetadata): number | undefined {
  const { stridePx, level0StridePx, coordUnit, level0Mpp, mpp, levelCount = 1 } = metadata;
  if (stridePx !== undefined || level0StridePx === undefined) return stridePx;
  const finest = level0StridePx / 2 ** (levelCount - 1);
  if (coordUnit === "encoded_px") return finest;
  return level0Mpp === undefined || mpp === undefined ? undefined : (finest * level0Mpp) / mpp;
}
