/**
 * @file Every head, here and in PyTorch written as public programs formulate them, in one run.
 *
 *     PARFOCAL_BENCH_PYTHON=/path/to/python node bench/heads/run.ts [--heads mean,clam,…] [--tiles 10000] [--rounds 5] [--device cuda:0]
 *
 * Rounds alternate between the sides. Outputs and losses without dropout must agree, else the exit code is 1; DTFD-MIL, whose
 * splits are drawn, is compared with one sub-bag.
 */
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { describeMachine } from "../lib/machine.ts";
import {
  alternate,
  compareOutputs,
  openSides,
  type PairedWorkload,
  reportMemory,
  reportTimings,
} from "../lib/paired.ts";
import { toleranceOn } from "../lib/tolerance.ts";
import { D, headModel } from "./head-model.ts";

const HEADS = "mean,max,abmil,gated-abmil,class-attention,dsmil,clam,transmil,dtfd";

/** Bags on which the sides are compared: 1 900 tiles have padding and repeated tiles, and cost little. */
const N_COMPARED = 1_900;

/** Outputs and losses of both sides agree to this, relative: f32 through a pseudo-inverse of six steps. */
const TOLERANCE = 2e-5;

type Sizes = Pick<PairedWorkload, "n" | "threads" | "device" | "dropout">;

function workloadOf(name: string, sizes: Sizes): PairedWorkload {
  const script = join(import.meta.dirname, "reference.py");
  return { model: headModel(name, sizes.dropout), modelName: name, script, ...sizes };
}

async function measure(workload: PairedWorkload, nRounds: number): Promise<void> {
  const sides = await openSides(workload);
  const { ours } = sides;
  const device = workload.device ?? "cpu";
  const torch = `torch ${sides.theirs?.version ?? "absent"}`;
  console.log(`${workload.modelName}, ${workload.n} x ${D}, ${device}, ${workload.threads} threads, ${torch}`);
  try {
    const rounds = { nRounds, nUnits: 1 };
    const predicting = { do: "predict", runs: 1 };
    reportTimings("prediction", await alternate(sides, { ...rounds, own: () => ours.predict(1), command: predicting }));
    reportMemory("prediction", sides);
    const training = { do: "train", steps: 1 };
    reportTimings("training step", await alternate(sides, { ...rounds, own: () => ours.train(1), command: training }));
    reportMemory("training step", sides);
  } finally {
    await sides.close();
  }
}

const { values } = parseArgs({
  options: {
    heads: { type: "string", default: HEADS },
    tiles: { type: "string", default: "10000" },
    rounds: { type: "string", default: "5" },
    threads: { type: "string", default: `${availableParallelism()}` },
    device: { type: "string", default: "cpu" },
  },
});
const { device } = values;
const threads = Number(values.threads);
const tolerance = toleranceOn(device, TOLERANCE);
for (const name of values.heads.split(",")) {
  const compared = name === "dtfd" ? "dtfd-whole" : name;
  console.log(`${compared}, ${N_COMPARED} x ${D}, without dropout`);
  await compareOutputs(workloadOf(compared, { n: N_COMPARED, threads, device, dropout: 0 }), 4, tolerance);
  console.log(describeMachine());
  await measure(workloadOf(name, { n: Number(values.tiles), threads, device, dropout: 0.25 }), Number(values.rounds));
}
