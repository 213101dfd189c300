import type { PlantedSignal } from "../../test/lib/planted-neighbours.ts";

/** What is claimed of a model's mean test AUROC over the seeds. Bounds are part of the claim and were set before the run. */
export interface Claim {
  readonly signal: PlantedSignal;
  /** Name of a model. */
  readonly model: string;
  readonly says: string;
  holds(meanAuroc: number): boolean;
}

/**
 * Around 0.5. Ranking 50 + 50 slides at random has a standard deviation of 0.058, the mean of five cohorts one of 0.026: chance
 * leaves this band once in ten thousand runs, a model that sees something of the signal does not stay in it.
 */
const CHANCE_BAND = 0.1;

/** What a model that reads the neighbourhood must exceed. */
const READS_PLACES = 0.9;

/** What every model must exceed where no place is needed. */
const NOTHING_LOST = 0.95;

function atChance(model: string): Claim {
  const says = `within ${CHANCE_BAND} of 0.5`;
  return { signal: "neighbours", model, says, holds: (mean) => Math.abs(mean - 0.5) <= CHANCE_BAND };
}

function above(signal: PlantedSignal, model: string, bound: number): Claim {
  return { signal, model, says: `above ${bound}`, holds: (mean) => mean > bound };
}

/** All claims, in the order of the tables. */
export const CLAIMS: readonly Claim[] = [
  atChance("abmil"),
  above("neighbours", "roformer", READS_PLACES),
  above("neighbours", "r2t", READS_PLACES),
  atChance("r2t-shuffled"),
  above("neighbours", "r2t-grid-shuffled", READS_PLACES),
  ...["abmil", "roformer", "r2t", "r2t-shuffled", "r2t-grid-shuffled"].map((model) =>
    above("presence", model, NOTHING_LOST),
  ),
];
