import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { memoryMib } from "./machine.ts";
import { OPTIMISER, type OwnSide, startOwnSide, type Workload } from "./own-side.ts";
import { type Reference, startReference } from "./reference-process.ts";
import { median } from "./statistics.ts";

/** A workload with its other side. */
export interface PairedWorkload extends Workload {
  /** Path of the program that serves the model by `torch_side.py`. */
  readonly script: string;
  /** Which of its models. */
  readonly modelName: string;
  /** Probability of dropping, or 0: what the model was built with. */
  readonly dropout: number;
}

/** Milliseconds of one unit of work in each round. */
export interface Timings {
  readonly ours: number[];
  readonly theirs: number[];
}

/** Both sides of a workload; `theirs` is absent where Python has no torch. */
export interface Sides {
  readonly ours: OwnSide;
  readonly theirs: Reference | undefined;
  /** Memory of both processes before the bag reached them, MiB. */
  readonly baseMib: { readonly ours: number; readonly theirs: number };
  close(): Promise<void>;
}

/** Starts both sides with the same bag and the same initial weights. */
export async function openSides(workload: PairedWorkload): Promise<Sides> {
  const ours = await startOwnSide(workload);
  const reference = await startReference(workload.script, workload);
  const theirs = "unavailable" in reference ? undefined : reference;
  if ("unavailable" in reference) console.log(`  PyTorch side skipped: ${reference.unavailable}`);
  const folder = await mkdtemp(join(tmpdir(), "parfocal-bench-"));
  const baseMib = { ours: ours.baseMib, theirs: memoryMib(theirs?.pid, "VmHWM") };
  await theirs?.ask({ do: "load", ...(await filesFor(folder, ours, workload)) });
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

/** What the command `load` takes; arrays go through files. */
async function filesFor(folder: string, ours: OwnSide, { modelName, model, n, dropout }: PairedWorkload) {
  const put = async (name: string, values: Float32Array | Int32Array) => {
    const path = join(folder, name);
    await writeFile(path, values);
    return path;
  };
  const { learningRate: learning_rate, weightDecay: weight_decay } = OPTIMISER;
  return {
    ...{ model: modelName, n, d: model.config.dIn, dropout, learning_rate, weight_decay },
    features: await put("features.f32", ours.features),
    weights: await put("weights.f32", ours.weights),
    grid: ours.grid === undefined ? null : await put("grid.i32", ours.grid),
    layout: ours.layout.map(({ name, shape }) => ({ name, shape })),
  };
}

/** One kind of work on both sides. */
export interface PairedWork {
  readonly nRounds: number;
  /** How many units one call of a side does. */
  readonly nUnits: number;
  own(): Promise<unknown>;
  readonly command: { readonly do: string; readonly [argument: string]: unknown };
}

/** Between the turns, ms: threads of the side that ended wait awake for some milliseconds, on cores that the other would need. */
const REST_MS = 50;

/** Alternates the sides; the first round warms both and is not counted. `own` may give its own time in milliseconds. */
export async function alternate({ theirs }: Sides, { nRounds, nUnits, own, command }: PairedWork): Promise<Timings> {
  const timings: Timings = { ours: [], theirs: [] };
  for (let round = 0; round <= nRounds; round++) {
    await sleep(REST_MS);
    const startMs = performance.now();
    const measured = await own();
    const ownMs = typeof measured === "number" ? measured : performance.now() - startMs;
    await sleep(REST_MS);
    const theirMs = (await theirs?.ask(command))?.ms;
    if (round === 0) continue;
    timings.ours.push(ownMs / nUnits);
    if (theirMs !== undefined) timings.theirs.push(theirMs / nUnits);
  }
  return timings;
}

/** Prints the times of both sides with their ratio; with the operations of a unit of work also its rate. */
export function reportTimings(what: string, { ours, theirs }: Timings, flop?: number): void {
  const rate = (ms: number) => (flop === undefined ? "" : `, ${(flop / ms / 1e6).toFixed(0)} GFLOP/s`);
  const side = (values: readonly number[]) =>
    `${median(values).toFixed(1)} ms (least ${Math.min(...values).toFixed(1)}${rate(median(values))})`;
  const parts = [`ours ${side(ours)}`];
  if (theirs.length > 0) {
    const ratios = ours.map((ms, i) => ms / (theirs[i] ?? Number.NaN));
    const least = Math.min(...ours) / Math.min(...theirs);
    parts.push(`torch ${side(theirs)}`);
    parts.push(`ours/torch: median of rounds ${median(ratios).toFixed(2)}, of the least ${least.toFixed(2)}`);
  }
  console.log(`  ${what.padEnd(14)} ${parts.join(" | ")}`);
}

/** Prints the most memory that both processes ever had. */
export function reportMemory(when: string, { ours, theirs, baseMib }: Sides): void {
  const side = (name: string, pid: number | undefined, base: number) => {
    const peak = memoryMib(pid, "VmHWM");
    return `${name} ${peak.toFixed(0)} MiB (${(peak - base).toFixed(0)} above the ${base.toFixed(0)} it had before the bag)`;
  };
  const sides = [side("ours", ours.engine.stats().pid, baseMib.ours)];
  if (theirs !== undefined) sides.push(side("torch", theirs.pid, baseMib.theirs));
  console.log(`  ${"peak memory".padEnd(14)} ${when}: ${sides.join(" | ")}`);
}

/**
 * Probabilities, then the losses of `nSteps` updates from the same weights; the workload has no dropout. Sets the exit code
 * to 1 when the sides are further apart than `tolerance`, relative.
 */
export async function compareOutputs(workload: PairedWorkload, nSteps: number, tolerance: number): Promise<void> {
  const sides = await openSides(workload);
  try {
    const ours = [await sides.ours.predict(1), await sides.ours.train(nSteps)];
    if (sides.theirs === undefined) return;
    const { probabilities } = await sides.theirs.ask({ do: "predict", runs: 1 });
    const { losses } = await sides.theirs.ask({ do: "train", steps: nSteps });
    for (const [i, theirs] of [probabilities, losses].entries()) {
      const gap = Math.max(...theirs.map((value, j) => Math.abs(value / (ours[i]?.[j] ?? Number.NaN) - 1)));
      const text = (values: readonly number[] = []) => values.map((value) => value.toFixed(7)).join(" ");
      const what = i === 0 ? "probabilities" : "losses without dropout";
      console.log(`  ${what}: ours ${text(ours[i])} | torch ${text(theirs)}, greatest gap ${gap.toExponential(1)}`);
      // Not `gap > tolerance`: that lets NaN pass.
      if (!(gap <= tolerance)) process.exitCode = 1;
    }
  } finally {
    await sides.close();
  }
}
