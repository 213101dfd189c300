import { DomainError } from "@parfocal/errors";
import type { aggregateV1 } from "@parfocal/protocol";
import type { HandlerContext } from "@parfocal/runtime";
import { bagRefFromWire, packageFromWire } from "@parfocal/stage";
import { predictBags } from "@parfocal/training";
import type { AggregateDeps } from "../deps.ts";
import { predictionToWire } from "../wire.ts";

const MAX_BAGS = 1024;

/** `PredictMany`: streams what came of each bag, in their order. The caller of a draining server asks again elsewhere. */
export function createPredictMany({ store, engine, models }: AggregateDeps) {
  return async function* (
    request: aggregateV1.PredictManyRequest,
    { signal }: HandlerContext,
  ): AsyncIterable<aggregateV1.PredictManyResponse> {
    assertCount(request.bags.length);
    const { folder, digest } = packageFromWire(store, request.model);
    const refs = request.bags.map((bag, index) => bagRefFromWire(store, bag, `bags[${index}]`));
    const loaded = await models.get(folder, digest, { signal });
    for await (const outcome of predictBags({ engine, store }, loaded, refs, signal)) {
      const { index } = outcome;
      if (outcome.kind === "prediction") {
        yield { index, result: { $case: "prediction", value: predictionToWire(loaded, outcome.prediction) } };
      } else {
        const { code, message } = outcome.error;
        yield { index, result: { $case: "failure", value: { code, message } } };
      }
    }
  };
}

function assertCount(count: number): void {
  if (count >= 1 && count <= MAX_BAGS) return;
  throw new DomainError("INVALID_ARGUMENT", `bags has ${count} entries; it is 1 to ${MAX_BAGS}`, {
    details: { field: "bags", value: `${count}`, bound: `1 to ${MAX_BAGS}` },
  });
}
