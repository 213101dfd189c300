/**
 * @file Training step and prediction of gated attention pooling, here and in PyTorch, in one run.
 *
 *     PARFOCAL_BENCH_PYTHON=/path/to/python node bench/train-step/run.ts [--tiles 4096,10000] [--rounds 9] [--threads 2]
 *
 * Rounds alternate between the two sides, so that noise of the machine meets both. The whole step is measured on ours:
 * the message to the engine, the random words of dropout, forward, backward, update, the loss back. The bag is in
 * both processes' memory before.
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { describeMachine, memoryMib } from "../lib/machine.ts";
import { median } from "../lib/statistics.ts";
import { OPTIMISER, type OwnSide, startOwnSide, type Workload } from "./own-side.ts";
import { type Reference, startReference } from "./reference-process.ts";

const D = 1024;
/** Side of the square matrices whose product shows what the cores can do. */
const PRODUCT_SIZE = 2048;

/** Multiplications and additions of the matrix products of a tile: forward; a step adds every gradient but the input's. */
const FORWARD_FLOP = 2 * (D * 512 + 2 * 512 * 256);
const STEP_FLOP = 2 * FORWARD_FLOP + 2 * (2 * 512 * 256);

/** Milliseconds of one unit of work in each round. */
interface Timings {
  readonly ours: number[];
  readonly theirs: number[];
}

/** Both sides of a workload; `theirs` is absent where Python has no torch. */
interface Sides {
  readonly ours: OwnSide;
  readonly theirs: Reference | undefined;
  /** Memory of both processes before the bag reached them, MiB. */
  readonly baseMib: { readonly ours: number; readonly theirs: number };
}

async function openSides(workload: Workload): Promise<Sides & { close(): Promise<void> }> {
  const ours = await startOwnSide(workload);
  const reference = await startReference(workload.threads);
  const theirs = "unavailable" in reference ? undefined : reference;
  if ("unavailable" in reference) console.log(`  PyTorch side skipped: ${reference.unavailable}`);
  const folder = await mkdtemp(join(tmpdir(), "parfocal-bench-"));
  const [features, weights] = [join(folder, "features.f32"), join(folder, "weights.f32")];
  await writeFile(features, ours.features);
  await writeFile(weights, ours.weights);
  const layout = ours.layout.map(({ name, shape }) => ({ name, shape }));
  const { learningRate: learning_rate, weightDecay: weight_decay } = OPTIMISER;
  const { n, d, dropout } = workload;
  const baseMib = { ours: ours.baseMib, theirs: memoryMib(theirs?.pid, "VmHWM") };
  await theirs?.ask({ do: "load", n, d, dropout, features, weights, layout, learning_rate, weight_decay });
  return {
    ours,
    theirs,
    baseMib,
    async close() {
      await theirs?.close();
      await ours.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Alternates the sides; the first round warms both and is not counted. */
async function alternate(
  { theirs }: Sides,
  nRounds: number,
  nUnits: number,
  own: () => Promise<number>,
  command: { readonly do: string; readonly [argument: string]: unknown },
): Promise<Timings> {
  const timings: Timings = { ours: [], theirs: [] };
  for (let round = 0; round <= nRounds; round++) {
    const ownMs = await own();
    const theirMs = (await theirs?.ask(command))?.ms;
    if (round === 0) continue;
    timings.ours.push(ownMs / nUnits);
    if (theirMs !== undefined) timings.theirs.push(theirMs / nUnits);
  }
  return timings;
}

async function timeMs(work: () => Promise<unknown>): Promise<number> {
  const startMs = performance.now();
  await work();
  return performance.now() - startMs;
}

function report(what: string, { ours, theirs }: Timings, flop: number): void {
  const rate = (ms: number) => `${(flop / ms / 1e6).toFixed(0)} GFLOP/s`;
  const side = (values: readonly number[]) =>
    `${median(values).toFixed(1)} ms (least ${Math.min(...values).toFixed(1)}, ${rate(median(values))})`;
  const parts = [`ours ${side(ours)}`];
  if (theirs.length > 0) {
    const ratios = ours.map((ms, i) => ms / (theirs[i] ?? Number.NaN));
    const least = Math.min(...ours) / Math.min(...theirs);
    parts.push(`torch ${side(theirs)}`);
    parts.push(`ours/torch: median of rounds ${median(ratios).toFixed(2)}, of the least ${least.toFixed(2)}`);
  }
  console.log(`  ${what.padEnd(14)} ${parts.join(" | ")}`);
}

function reportMemory(when: string, { ours, theirs, baseMib }: Sides): void {
  const side = (name: string, pid: number | undefined, base: number) => {
    const peak = memoryMib(pid, "VmHWM");
    return `${name} ${peak.toFixed(0)} MiB (${(peak - base).toFixed(0)} above the ${base.toFixed(0)} it had before the bag)`;
  };
  const sides = [side("ours", ours.engine.stats().pid, baseMib.ours)];
  if (theirs !== undefined) sides.push(side("torch", theirs.pid, baseMib.theirs));
  console.log(`  ${"peak memory".padEnd(14)} ${when}: ${sides.join(" | ")}`);
}

/** Four updates from the same weights without dropout: the same losses, so both sides compute the same thing. */
async function compareLosses(workload: Workload): Promise<void> {
  const sides = await openSides({ ...workload, dropout: 0 });
  try {
    const theirs = (await sides.theirs?.ask({ do: "train", steps: 4 }))?.losses ?? [];
    const ours = await sides.ours.train(4);
    const gap = Math.max(...theirs.map((loss, i) => Math.abs(loss / (ours[i] ?? Number.NaN) - 1)));
    const text = (losses: readonly number[]) => losses.map((loss) => loss.toFixed(7)).join(" ");
    console.log(`  losses without dropout: ours ${text(ours)}`);
    if (theirs.length > 0)
      console.log(`  ${"".padEnd(22)} torch ${text(theirs)}, greatest gap ${gap.toExponential(1)}`);
    if (gap > 1e-5) process.exitCode = 1;
  } finally {
    await sides.close();
  }
}

async function measure(workload: Workload, nRounds: number): Promise<void> {
  const sides = await openSides(workload);
  const { ours } = sides;
  const { n } = workload;
  const nSteps = Math.max(1, Math.round(12_288 / n));
  console.log(
    `${n} x ${D}, dropout ${workload.dropout}, ${workload.threads} threads, torch ${sides.theirs?.version ?? "absent"}`,
  );
  try {
    const predicting = { do: "predict", runs: 2 * nSteps };
    const predict = () => timeMs(() => ours.predict(2 * nSteps));
    report("prediction", await alternate(sides, nRounds, 2 * nSteps, predict, predicting), n * FORWARD_FLOP);
    reportMemory("prediction", sides);
    const train = () => timeMs(() => ours.train(nSteps));
    const training = { do: "train", steps: nSteps };
    report("training step", await alternate(sides, nRounds, nSteps, train, training), n * STEP_FLOP);
    reportMemory("training step", sides);
    const product = () => ours.product(PRODUCT_SIZE, 4);
    const command = { do: "product", size: PRODUCT_SIZE, runs: 4 };
    report("matrix product", await alternate(sides, nRounds, 4, product, command), 2 * PRODUCT_SIZE ** 3);
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
  const workload = { n, d: D, dropout: Number(values.dropout), threads: Number(values.threads) };
  await measure(workload, Number(values.rounds));
  await compareLosses(workload);
}
