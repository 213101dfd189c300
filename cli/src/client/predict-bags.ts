import { mapBounded } from "@parfocal/errors";
import type { gatewayV1 } from "@parfocal/protocol";
import { describeError } from "../exit-codes.ts";
import type { GatewayClients } from "./clients.ts";

/** What came of one bag. */
export type BagOutcome = { readonly bag: gatewayV1.Bag } & (
  | { readonly kind: "prediction"; readonly response: gatewayV1.PredictResponse }
  | { readonly kind: "error"; readonly code: string; readonly message: string }
);

/** Bags asked for at a time: one is computed while the others are read. */
const CONCURRENT_PREDICTIONS = 4;

/** Settings of {@link predictBags}. */
export interface PredictOptions {
  /** Resource name of the model. */
  readonly model: string;
  /** Whether tiles are weighed too, with percentiles, where the model's head weighs or scores them. */
  readonly includeAttention: boolean;
  readonly signal: AbortSignal;
  /** Names of further bags that are decided together with a bag; absent: none. */
  readonly moreBagsOf?: (bag: gatewayV1.Bag) => readonly string[];
  /** Told of each bag as it is done. Its failure counts as the bag's. */
  readonly onBag?: (outcome: BagOutcome, nDone: number) => Promise<void> | void;
}

/** Predicts bags, several at a time; gives what came of each in their order. A bag that fails does not stop the others. */
export function predictBags(
  clients: GatewayClients,
  bags: readonly gatewayV1.Bag[],
  options: PredictOptions,
): Promise<BagOutcome[]> {
  let nDone = 0;
  return mapBounded(bags, CONCURRENT_PREDICTIONS, async (bag) => {
    const outcome = await predictOne(clients, bag, options);
    await options.onBag?.(outcome, ++nDone);
    return outcome;
  });
}

async function predictOne(clients: GatewayClients, bag: gatewayV1.Bag, options: PredictOptions): Promise<BagOutcome> {
  const { model, includeAttention, signal, moreBagsOf } = options;
  try {
    const moreBags = [...(moreBagsOf?.(bag) ?? [])];
    const attention = { includeAttention, includePercentiles: includeAttention };
    const response = await clients.prediction.predict({ model, bag: bag.name, moreBags, ...attention }, { signal });
    return { kind: "prediction", bag, response };
  } catch (error) {
    const { code, message } = describeError(error);
    // A head may weigh no tiles: what it says of the slide does not depend on that.
    if (includeAttention && code === "PRECONDITION_FAILED") {
      return predictOne(clients, bag, { ...options, includeAttention: false });
    }
    if (signal.aborted || code === "UNREACHABLE") throw error;
    return { kind: "error", bag, code, message };
  }
}
