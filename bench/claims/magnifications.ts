/**
 * @file The claims of pretraining the region mixer on planted cohorts: the class is how a tissue's type, seen at the coarsest
 * magnification alone, goes with the arrangement of its tiles, seen at the finest alone. Rows of the table are the paper's: attention
 * pooling and fresh mixers on each magnification and on all, mixers pretrained by masking and by contrast. Trained by the library on
 * the engine, without a gateway.
 *
 *     node bench/claims/magnifications.ts [--seeds 1,2,3,4,5] [--rows "MEM 0.50,Random all"] [--workers 2] [--json FILE]
 *
 * Prints a table for each output of the mixer; the exit code is 1 when a claim fails. With `--json` results are added to those
 * that the file holds, and rows that it has for a seed are not run again.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { openWorld, type World } from "../../libs/training/src/testing/world.ts";
import {
  type MagnificationModel,
  magnificationModels,
  type PlantedTrial,
  plantTrial,
  pretrainPlanted,
  trainRow,
} from "../../test/lib/magnification-training.ts";
import { describeMachine } from "../lib/machine.ts";
import { type MagnificationResult, magnificationTable, OUTPUTS } from "./magnification-table.ts";
import { readSeeds } from "./read-seeds.ts";

/** Unlabelled slides are plenty, labelled ones few. Settled, as the recipe, on seeds from 101. */
const TRIAL = { nUnlabelled: 300, nTrain: 64, nTest: 100, levelCount: 3 };

const RECIPE = { levelCount: 3, width: 48, depth: 2, pretrainRegions: 48_000, epochs: 10 };

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "1,2,3,4,5" },
    rows: { type: "string" },
    workers: { type: "string", default: "2" },
    json: { type: "string" },
  },
});
const wanted = values.rows?.split(",");
const results: MagnificationResult[] =
  values.json !== undefined && existsSync(values.json)
    ? (JSON.parse(readFileSync(values.json, "utf8")) as MagnificationResult[])
    : [];

/** The rows of a seed that are still to be run. One pretraining serves both outputs, so these stand together. */
function openRows(seed: number) {
  return OUTPUTS.flatMap((output) => magnificationModels(RECIPE, output).map((model) => ({ output, model })))
    .filter(({ model }) => wanted === undefined || wanted.includes(model.name))
    .filter(
      ({ output, model }) => !results.some((r) => r.seed === seed && r.output === output && r.model === model.name),
    )
    .toSorted((a, b) => a.model.name.localeCompare(b.model.name));
}

type Start = Awaited<ReturnType<typeof pretrainPlanted>>;

/** Starting weights by row, pretrained when first asked for. */
function createStarts(world: World, trial: PlantedTrial) {
  const starts = new Map<string, Promise<Start>>();
  return ({ name, pretrained }: MagnificationModel): Promise<Start> | undefined => {
    if (pretrained === undefined) return undefined;
    const start = starts.get(name) ?? pretrainPlanted(world, trial, RECIPE, pretrained);
    starts.set(name, start);
    return start;
  };
}

async function runSeed(seed: number): Promise<void> {
  const rows = openRows(seed);
  if (rows.length === 0) return;
  const world = await openWorld();
  try {
    const trial = await plantTrial(world, { ...TRIAL, seed: BigInt(seed) });
    const startOf = createStarts(world, trial);
    for (const { output, model } of rows) {
      const start = performance.now();
      const auroc = await trainRow(world, trial, RECIPE, model, await startOf(model));
      results.push({ output, model: model.name, seed, auroc });
      const seconds = ((performance.now() - start) / 1000).toFixed(1);
      console.error(`${output} ${model.name} seed ${seed}: ${auroc.toFixed(3)} in ${seconds} s`);
      if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(results, null, 2)}\n`);
    }
  } finally {
    await world.close();
  }
}

const start = performance.now();
console.log(describeMachine());
const queue = readSeeds(values.seeds).values();
await Promise.all(
  Array.from({ length: Number(values.workers) }, async () => {
    for (const seed of queue) await runSeed(seed);
  }),
);
for (const output of OUTPUTS) {
  const { rows, allHold } = magnificationTable(output, results);
  console.log(
    `\n${output}: ${TRIAL.nTrain} labelled training slides, ${TRIAL.nTest} test slides a seed\n\n${rows.join("\n")}`,
  );
  if (!allHold) process.exitCode = 1;
}
console.log(`\n${Math.round((performance.now() - start) / 1000)} s`);
