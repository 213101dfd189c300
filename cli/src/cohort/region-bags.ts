import type { gatewayV1 } from "@parfocal/protocol";

/** Re-embedders that look at several magnifications, as models and the contract call them. */
const REGIONAL: ReadonlySet<string> = new Set(["region-mixer", "regionMixer", "levels"]);

/** Whether a re-embedder reads region bags. */
export function readsRegions(reembedder: string | undefined): boolean {
  return reembedder !== undefined && REGIONAL.has(reembedder);
}

/** Whether a bag holds the magnifications of a slide, as BuildRegions makes them. */
export function isRegionBag({ info }: gatewayV1.Bag): boolean {
  return info?.levelCount !== undefined;
}

/**
 * The bags that suit a model: a slide that has bags of both kinds is there by those that the model reads, region bags or
 * those of one magnification; a slide of one kind is there as it is.
 */
export function suitableBags(bags: readonly gatewayV1.Bag[], wantsRegions: boolean): gatewayV1.Bag[] {
  const isSuitable = (bag: gatewayV1.Bag) => isRegionBag(bag) === wantsRegions;
  const slideOf = ({ name, info }: gatewayV1.Bag) => info?.slideId || name;
  const suited = new Set(bags.filter(isSuitable).map(slideOf));
  return bags.filter((bag) => isSuitable(bag) || !suited.has(slideOf(bag)));
}
