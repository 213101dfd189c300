/**
 * @file R2T + ABMIL and RoFormer + ABMIL, here and in PyTorch written as public programs formulate them, in one run.
 *
 *     PARFOCAL_BENCH_PYTHON=/path/to/python node bench/reembed/run.ts [--cases r2t:9000:train,…] [--rounds 5] [--threads 2] [--device cuda:0]
 *
 * A case is `model:tiles:predict`, or `model:tiles:train` for prediction and training step. Rounds alternate between the
 * sides. Outputs and losses without dropout must agree, else the exit code is 1.
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
import { D, reembedModel } from "./reembed-model.ts";

/** Bags of usual and of large slides. */
const CASES = "r2t:9000:train,r2t:50000:predict,roformer:10000:train,roformer:30000:predict";

/** Bags on which the sides are compared: two thousand tiles have padding, several blocks, and cost little. */
const N_COMPARED = 2_000;

/** Outputs and losses of both sides agree to this, relative. */
const TOLERANCE = 1e-5;

type Sizes = Pick<PairedWorkload, "n" | "threads" | "device" | "dropout">;

function workloadOf(kind: string, sizes: Sizes): PairedWorkload {
  const script = join(import.meta.dirname, "reference.py");
  return { model: reembedModel(kind, sizes.dropout), modelName: kind, script, ...sizes };
}

async function measure(workload: PairedWorkload, work: string, nRounds: number): Promise<void> {
  const sides = await openSides(workload);
  const { ours } = sides;
  const device = workload.device ?? "cpu";
  const torch = `torch ${sides.theirs?.version ?? "absent"}`;
  console.log(`${workload.modelName} + abmil, ${workload.n} x ${D}, ${device}, ${workload.threads} threads, ${torch}`);
  try {
    const rounds = { nRounds, nUnits: 1 };
    const predicting = { do: "predict", runs: 1 };
    const predictions = await alternate(sides, { ...rounds, own: () => ours.predict(1), command: predicting });
    reportTimings("prediction", predictions);
    reportMemory("prediction", sides);
    if (work !== "train") return;
    const training = { do: "train", steps: 1 };
    reportTimings("training step", await alternate(sides, { ...rounds, own: () => ours.train(1), command: training }));
    reportMemory("training step", sides);
  } finally {
    await sides.close();
  }
}

const { values } = parseArgs({
  options: {
    cases: { type: "string", default: CASES },
    rounds: { type: "string", default: "5" },
    threads: { type: "string", default: `${availableParallelism()}` },
    device: { type: "string", default: "cpu" },
  },
});
const { device } = values;
const threads = Number(values.threads);
const tolerance = toleranceOn(device, TOLERANCE);
const cases = values.cases.split(",").map((text) => text.split(":"));
for (const kind of new Set(cases.map(([name = ""]) => name))) {
  console.log(`${kind} + abmil, ${N_COMPARED} x ${D}, without dropout`);
  await compareOutputs(workloadOf(kind, { n: N_COMPARED, threads, device, dropout: 0 }), 4, tolerance);
}
for (const [kind = "", n, work = "predict"] of cases) {
  console.log(`\n${describeMachine()}`);
  await measure(workloadOf(kind, { n: Number(n), threads, device, dropout: 0.25 }), work, Number(values.rounds));
}
