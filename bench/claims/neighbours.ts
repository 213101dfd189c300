/**
 * @file The claims of position-aware re-embedding on planted cohorts: which tile types lie beside each other decides the class,
 * and nothing else does; then a cohort that needs no places. Trained by the library on the engine, without a gateway.
 *
 *     node bench/claims/neighbours.ts [--seeds 1,2,3,4,5] [--workers 2] [--json FILE]
 *
 * Prints a table per cohort; the exit code is 1 when a claim of `claims.ts` fails.
 */
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { openWorld, type World } from "../../libs/training/src/testing/world.ts";
import type { PlantedSignal } from "../../test/lib/planted-neighbours.ts";
import { type PlantedModel, plantedModels, trainPlanted } from "../../test/lib/planted-training.ts";
import { describeMachine } from "../lib/machine.ts";
import { readSeeds } from "./read-seeds.ts";
import { type ClaimResult, claimTable } from "./table.ts";

const SIGNALS: readonly PlantedSignal[] = ["neighbours", "presence"];

/** As the design of the cohort has it; half of the test slides are of each class. */
const COHORT = { nTrain: 160, nTest: 100, nTiles: [150, 600] } as const;

const RECIPE = { width: 64, epochs: 10 };

interface Trial {
  readonly signal: PlantedSignal;
  readonly model: PlantedModel;
  readonly seed: number;
}

async function runTrial(world: World, { signal, model, seed }: Trial): Promise<ClaimResult> {
  const start = performance.now();
  const auroc = await trainPlanted(world, model, RECIPE, { ...COHORT, signal, seed: BigInt(seed) });
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  console.error(`${signal} ${model.name} seed ${seed}: ${auroc.toFixed(3)} in ${seconds} s`);
  return { signal, model: model.name, seed, auroc };
}

/** Takes trials from the shared list until it is empty, in a world of its own with one thread. */
async function work(trials: Iterator<Trial>): Promise<ClaimResult[]> {
  const world = await openWorld();
  const results: ClaimResult[] = [];
  try {
    for (let next = trials.next(); next.done !== true; next = trials.next()) {
      results.push(await runTrial(world, next.value));
    }
  } finally {
    await world.close();
  }
  return results;
}

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "1,2,3,4,5" },
    workers: { type: "string", default: "2" },
    json: { type: "string" },
  },
});
const seeds = readSeeds(values.seeds);
const trials = SIGNALS.flatMap((signal) =>
  seeds.flatMap((seed) => plantedModels(RECIPE.width).map((model): Trial => ({ signal, model, seed }))),
);
const start = performance.now();
console.log(describeMachine());
const queue = trials.values();
const results = (await Promise.all(Array.from({ length: Number(values.workers) }, () => work(queue)))).flat();
for (const signal of SIGNALS) {
  const { rows, allHold } = claimTable(signal, results);
  console.log(`\n${signal}: ${COHORT.nTrain} training and ${COHORT.nTest} test slides a seed\n\n${rows.join("\n")}`);
  if (!allHold) process.exitCode = 1;
}
console.log(`\n${trials.length} trainings in ${Math.round((performance.now() - start) / 1000)} s`);
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(results, null, 2)}\n`);
