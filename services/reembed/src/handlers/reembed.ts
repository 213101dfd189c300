import { mapYields } from "@parfocal/errors";
import type { reembedV1 } from "@parfocal/protocol";
import type { HandlerContext } from "@parfocal/runtime";
import { bagReferenceFromRef, bagRefFromWire, packageFromWire } from "@parfocal/stage";
import { reembedBag } from "@parfocal/training";
import type { ReembedStageDeps } from "../deps.ts";

/** `Reembed`: progress while it computes, then the reference of the bag in the store; that at once when it is there and, where asked, whole. */
export function createReembed(deps: ReembedStageDeps) {
  return async function* (
    request: reembedV1.ReembedRequest,
    { signal }: HandlerContext,
  ): AsyncIterable<reembedV1.ReembedResponse> {
    const { store, models, onLookup } = deps;
    const { folder, digest } = packageFromWire(store, request.model);
    const ref = bagRefFromWire(store, request.bag);
    const loaded = await models.get(folder, digest, { signal });
    const steps = reembedBag(deps, loaded, ref, signal, { verifies: request.verify });
    // What is there comes without a word of progress.
    let isThere = true;
    const reembedded = yield* mapYields(steps, ({ nDone, nTotal }): reembedV1.ReembedResponse => {
      if (isThere) onLookup(false);
      isThere = false;
      return { event: { $case: "progress", value: { doneTiles: BigInt(nDone), totalTiles: BigInt(nTotal) } } };
    });
    if (isThere) onLookup(true);
    yield { event: { $case: "bag", value: bagReferenceFromRef(store, reembedded) } };
  };
}
