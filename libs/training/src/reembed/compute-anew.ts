import { randomUUID } from "node:crypto";
import type { BagHeader, BagRef } from "@parfocal/bags";
import { isDomainError } from "@parfocal/errors";
import { type ComputeOptions, computeTiles } from "./compute-tiles.ts";

/** How often a bag is begun anew before it is given up. */
const MAX_ANEW = 2;

/**
 * {@link computeTiles} of a bag that may be begun anew: what it left in the engine is lost when another request brings the engine's
 * process down between two of its runs. What is yielded only grows.
 *
 * A crash is thrown: the engine says so to the request that was in the process and to no other.
 *
 * @throws {DomainError} As {@link computeTiles}; `STATE_LOST` when it was lost three times.
 */
export async function* computeAnew(
  ref: BagRef,
  header: BagHeader,
  options: Omit<ComputeOptions, "scratch">,
): AsyncGenerator<number, BagRef, undefined> {
  let shown = 0;
  for (let nLosses = 0; ; nLosses += 1) {
    const scratch = `reembed/${randomUUID()}/`;
    const steps = computeTiles(ref, header, { ...options, scratch });
    try {
      for (;;) {
        const step = await steps.next();
        if (step.done === true) return step.value;
        if (step.value <= shown) continue;
        shown = step.value;
        yield shown;
      }
    } catch (error) {
      if (!isDomainError(error, "STATE_LOST") || nLosses === MAX_ANEW) throw error;
    } finally {
      // A generator that is ended early gives no result, whatever its type says.
      await steps.return(undefined as never);
      // When this fails the engine process is gone, and what it held with it.
      await options.engine.dropResident(scratch).catch(() => undefined);
    }
  }
}
