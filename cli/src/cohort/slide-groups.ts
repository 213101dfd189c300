import type { gatewayV1 } from "@parfocal/protocol";
import { isRegionBag } from "./region-bags.ts";

/** The bags of one slide, one per magnification. */
export interface SlideGroup {
  readonly slide: string;
  readonly bags: readonly gatewayV1.Bag[];
}

/**
 * Bags by slide, each once, in the order in which slides come first; region bags are left out. A bag without a slide id is a
 * slide of its own.
 */
export function groupBySlide(bags: readonly gatewayV1.Bag[]): SlideGroup[] {
  const groups = new Map<string, Map<string, gatewayV1.Bag>>();
  for (const bag of bags) {
    if (isRegionBag(bag)) continue;
    const slide = bag.info?.slideId || bag.name;
    const group = groups.get(slide) ?? new Map<string, gatewayV1.Bag>();
    groups.set(slide, group.set(bag.name, bag));
  }
  return [...groups].map(([slide, group]) => ({ slide, bags: [...group.values()] }));
}
