import { buildRegionBag } from "@parfocal/bags";
import { mapYields } from "@parfocal/errors";
import type { pretrainV1 } from "@parfocal/protocol";
import type { HandlerContext } from "@parfocal/runtime";
import { bagReferenceFromRef, bagRefFromWire, folderFromWire } from "@parfocal/stage";
import type { PretrainDeps } from "../deps.ts";
import { regionOptionsFromWire, regionReportToWire } from "../wire.ts";

/** `BuildRegions`: a message for each bag that is read, then the region bag and what was found; these at once when it is there. */
export function createBuildRegions({ store }: Pick<PretrainDeps, "store">) {
  return async function* (
    request: pretrainV1.BuildRegionsRequest,
    { signal }: HandlerContext,
  ): AsyncIterable<pretrainV1.BuildRegionsResponse> {
    const refs = request.bags.map((bag, index) => bagRefFromWire(store, bag, `bags[${index}]`));
    const options = regionOptionsFromWire(request.options);
    const totalBags = BigInt(refs.length);
    const steps = buildRegionBag(
      store,
      { refs, options, folder: folderFromWire(store, request.regionsUri) },
      { signal },
    );
    const { ref, report } = yield* mapYields(steps, ({ nDone }) => ({
      doneBags: BigInt(nDone),
      totalBags,
      bag: undefined,
      report: undefined,
    }));
    const built = { bag: bagReferenceFromRef(store, ref), report: regionReportToWire(report) };
    yield { doneBags: totalBags, totalBags, ...built };
  };
}
