import fc from "fast-check";
import { anyDamage, damaged } from "./damage.ts";
import { type FuzzTarget, outcomeOf } from "./targets.ts";

/** What a run of one target gave. */
export interface FuzzReport {
  readonly target: string;
  readonly nCases: number;
  /** Cases by outcome: `parsed`, or the code of the refusal. */
  readonly outcomes: Readonly<Record<string, number>>;
  /** Longest time of one case, ms. */
  readonly slowestMs: number;
}

/**
 * Damages valid files and parses them: whatever comes of it must be a result or a refusal with a code.
 *
 * @throws {Error} with the seed, the path to the smallest damage found and what it led to.
 */
export async function fuzz(target: FuzzTarget, nCases: number, seed: number): Promise<FuzzReport> {
  const outcomes: Record<string, number> = {};
  let slowestMs = 0;
  const sample = fc.nat({ max: target.samples.length - 1 });
  const numRuns = Math.ceil(nCases * (target.share ?? 1));
  await fc.assert(
    fc.asyncProperty(sample, sample, anyDamage, async (index, otherIndex, damage) => {
      const [bytes, other] = [target.samples[index]!, target.samples[otherIndex]!];
      const startMs = performance.now();
      const outcome = await outcomeOf(target, damaged(bytes, damage, other));
      slowestMs = Math.max(slowestMs, performance.now() - startMs);
      outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
    }),
    { numRuns, seed },
  );
  return { target: target.name, nCases: numRuns, outcomes, slowestMs };
}
