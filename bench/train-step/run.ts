/**
 * @file Training step and prediction of gated attention pooling, here and in PyTorch, in one run.
 *
 *     PARFOCAL_BENCH_PYTHON=/path/to/python node bench/train-step/run.ts [--tiles 4096,10000] [--rounds 9] [--threads 2]
 *
 * Rounds alternate between the two sides, so that noise of the machine meets both. The whole step is measured on ours:
 * the message to the engine, the random words of dropout, forward, backward, update, the loss back. The bag is in
 * both processes' memory before.
 */
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { gatedAttention } from "../lib/gated-attention.ts";
import { describeMachine } from "../lib/machine.ts";
import {
  alternate,
  compareOutputs,
  openSides,
  type PairedWorkload,
  reportMemory,
  reportTimings,
} from "../lib/paired.ts";

const D = 1024;
/** Side of the square matrices whose product shows what the cores can do. */
const PRODUCT_SIZE = 2048;

/** Multiplications and additions of the matrix products of a tile: forward; a step adds every gradient but the input's. */
const FORWARD_FLOP = 2 * (D * 512 + 2 * 512 * 256);
const STEP_FLOP = 2 * FORWARD_FLOP + 2 * (2 * 512 * 256);

/** Losses of both sides agree to this, relative. */
const TOLERANCE = 1e-5;

function workloadOf({ n, threads, dropout }: { n: number; threads: number; dropout: number }): PairedWorkload {
  const script = join(import.meta.dirname, "reference.py");
  return { model: gatedAttention({ d: D, dropout }), modelName: "gated-abmil", script, n, threads, dropout };
}

async function measure(workload: PairedWorkload, nRounds: number): Promise<void> {
  const sides = await openSides(workload);
  const { ours } = sides;
  const { n } = workload;
  const nSteps = Math.max(1, Math.round(12_288 / n));
  console.log(
    `${n} x ${D}, dropout ${workload.dropout}, ${workload.threads} threads, torch ${sides.theirs?.version ?? "absent"}`,
  );
  try {
    const predicting = { do: "predict", runs: 2 * nSteps };
    const predict = () => ours.predict(2 * nSteps);
    const predictions = await alternate(sides, { nRounds, nUnits: 2 * nSteps, own: predict, command: predicting });
    reportTimings("prediction", predictions, n * FORWARD_FLOP);
    reportMemory("prediction", sides);
    const training = { do: "train", steps: nSteps };
    const steps = await alternate(sides, { nRounds, nUnits: nSteps, own: () => ours.train(nSteps), command: training });
    reportTimings("training step", steps, n * STEP_FLOP);
    reportMemory("training step", sides);
    const command = { do: "product", size: PRODUCT_SIZE, runs: 4 };
    const product = () => ours.product(PRODUCT_SIZE, 4);
    reportTimings(
      "matrix product",
      await alternate(sides, { nRounds, nUnits: 4, own: product, command }),
      2 * PRODUCT_SIZE ** 3,
    );
  } finally {
    await sides.close();
  }
}

const { values } = parseArgs({
  options: {
    tiles: { type: "string", default: "4096,10000" },
    rounds: { type: "string", default: "9" },
    threads: { type: "string", default: `${availableParallelism()}` },
    dropout: { type: "string", default: "0.25" },
  },
});
console.log(describeMachine());
for (const n of values.tiles.split(",").map(Number)) {
  const sizes = { n, threads: Number(values.threads) };
  await measure(workloadOf({ ...sizes, dropout: Number(values.dropout) }), Number(values.rounds));
  await compareOutputs(workloadOf({ ...sizes, dropout: 0 }), 4, TOLERANCE);
}
