/**
 * @file Every head, here and in PyTorch written as public programs formulate them, in one run.
 *
 *     PARFOCAL_BENCH_PYTHON=/path/to/python node bench/heads/run.ts [--heads mean,clam,…] [--tiles 10000] [--rounds 5]
 *
 * Rounds alternate between the sides. Outputs and losses without dropout must agree, else the exit code is 1; DTFD-MIL, whose
 * splits are drawn, is compared with one sub-bag.
 */
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { buildModel, type Model } from "@parfocal/models";
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

const HEADS = "mean,max,abmil,gated-abmil,class-attention,dsmil,clam,transmil,dtfd";

/** Bags on which the sides are compared: 1 900 tiles have padding and repeated tiles, and cost little. */
const N_COMPARED = 1_900;

/** Outputs and losses of both sides agree to this, relative: f32 through a pseudo-inverse of six steps. */
const TOLERANCE = 2e-5;

/** The heads with the sizes of their papers; 0 switches all dropout off. */
function modelOf(name: string, dropout: number): Model {
  const heads: Readonly<Record<string, object>> = {
    clam: { kind: "clam", dropout, attentionDropout: dropout },
    transmil: { kind: "transmil", attentionDropout: dropout === 0 ? 0 : 0.1 },
    dtfd: { kind: "dtfd", splits: 1 },
    "dtfd-whole": { kind: "dtfd", groups: 1, splits: 1 },
    abmil: { kind: "abmil", dropout, attentionDropout: dropout },
    "gated-abmil": { kind: "gated-abmil", dropout, attentionDropout: dropout },
    dsmil: { kind: "dsmil" },
  };
  return buildModel({
    dIn: D,
    head: heads[name] ?? { kind: name, dropout },
    task: { kind: "binary", classes: ["negative", "positive"] },
  });
}

function workloadOf(name: string, sizes: { n: number; threads: number; dropout: number }): PairedWorkload {
  const script = join(import.meta.dirname, "reference.py");
  return { model: modelOf(name, sizes.dropout), modelName: name, script, ...sizes };
}

async function measure(workload: PairedWorkload, nRounds: number): Promise<void> {
  const sides = await openSides(workload);
  const { ours } = sides;
  const torch = `torch ${sides.theirs?.version ?? "absent"}`;
  console.log(`${workload.modelName}, ${workload.n} x ${D}, ${workload.threads} threads, ${torch}`);
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
  },
});
const threads = Number(values.threads);
for (const name of values.heads.split(",")) {
  const compared = name === "dtfd" ? "dtfd-whole" : name;
  console.log(`${compared}, ${N_COMPARED} x ${D}, without dropout`);
  await compareOutputs(workloadOf(compared, { n: N_COMPARED, threads, dropout: 0 }), 4, TOLERANCE);
  console.log(describeMachine());
  await measure(workloadOf(name, { n: Number(values.tiles), threads, dropout: 0.25 }), Number(values.rounds));
}
