import type { reembedV1 } from "@parfocal/protocol";
import type { HandlerContext } from "@parfocal/runtime";
import { bagReferenceFromRef, bagRefFromWire, packageFromWire } from "@parfocal/stage";
import { reembedBag } from "@parfocal/training";
import type { ReembedStageDeps } from "../deps.ts";

/** `Reembed`: progress while it computes, then the reference of the bag in the store; that at once when it is there. */
export function createReembed(deps: ReembedStageDeps) {
  return async function* (
    request: reembedV1.ReembedRequest,
    { signal }: HandlerContext,
  ): AsyncIterable<reembedV1.ReembedResponse> {
    const { store, models, onLookup } = deps;
    const { folder, digest } = packageFromWire(store, request.model);
    const ref = bagRefFromWire(store, request.bag);
    const loaded = await models.get(folder, digest, { signal });
    const steps = reembedBag(deps, loaded, ref, signal);
    try {
      for (let isFirst = true; ; isFirst = false) {
        const step = await steps.next();
        // What is there comes without a word of progress.
        if (isFirst) onLookup(step.done === true);
        if (step.done === true) {
          yield { event: { $case: "bag", value: bagReferenceFromRef(store, step.value) } };
          return;
        }
        const { nDone, nTotal } = step.value;
        yield { event: { $case: "progress", value: { doneTiles: BigInt(nDone), totalTiles: BigInt(nTotal) } } };
      }
    } finally {
      await steps.return(undefined as never);
    }
  };
}
