/**
 * @file The region mixer against plain PyTorch in one run: regions per second in pretraining (forward, backward, AdamW) and in
 * encoding (no removal), memory of both; losses and encodings, which must agree (else the exit code is 1); and what the cost
 * model says of other region sizes beside what they take.
 *
 *     PARFOCAL_BENCH_PYTHON=/path/to/python node bench/mixer/run.ts [--views 32] [--rounds 5] [--threads 2] [--sizes 1,2,3,4]
 *         [--device cuda:0]
 *
 * `--views 0` leaves the comparison out, `--sizes ""` the cost model. Rounds alternate between the two sides. Views and state are in both processes' memory before. `ours/torch` are regions per
 * second of ours over theirs: above 1 we are faster.
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { buildPretrainModel } from "@parfocal/models";
import { cpuMs, describeMachine, memoryMib } from "../lib/machine.ts";
import { type Reference, startReference } from "../lib/reference-process.ts";
import { median } from "../lib/statistics.ts";
import { toleranceOn } from "../lib/tolerance.ts";
import { type MixerSide, type MixerWorkload, OPTIMISER, startMixerSide } from "./mixer-side.ts";
import { encodeFlop, innerWidth, stepFlop } from "./sizes.ts";

const D = 1280;

/** Losses and encodings of both sides agree to this, relative to the largest. */
const TOLERANCE = 1e-5;

/** Predictions of the cost model hold within this. */
const MODEL_TOLERANCE = 0.3;

interface Times {
  /** Milliseconds on the clock. */
  readonly wall: number[];
  /** Milliseconds of processors. */
  readonly cpu: number[];
}

async function openReference(folder: string, ours: MixerSide, workload: MixerWorkload) {
  const { nViews } = workload;
  const reference = await startReference(join(import.meta.dirname, "reference.py"), workload);
  if ("unavailable" in reference) {
    console.log(`  PyTorch side skipped: ${reference.unavailable}`);
    return undefined;
  }
  const { mixer, masked } = ours.model.config;
  const { decoderWidth, decoderDepth, decoderHeads } = masked;
  const sizes = {
    ...{ width: mixer.width, depth: mixer.depth, heads: mixer.heads, inner: innerWidth(mixer.width, mixer) },
    ...{ decoderWidth, decoderDepth, decoderHeads, decoderInner: innerWidth(decoderWidth, mixer) },
  };
  for (const [name, values] of Object.entries(ours.arrays)) await writeFile(join(folder, name), values);
  await reference.ask({
    ...{ do: "load", folder, views: nViews, d: D, tokens: ours.model.nTokens, sizes },
    layout: ours.layout.map(({ name, shape }) => ({ name, shape })),
    ...{ learning_rate: OPTIMISER.learningRate, weight_decay: OPTIMISER.weightDecay },
    betas: [OPTIMISER.beta1, OPTIMISER.beta2],
  });
  return reference;
}

/** Losses of three updates and encodings at a few places, from the same weights, views and masks. */
async function compare(ours: MixerSide, theirs: Reference): Promise<void> {
  const tiles = (await ours.encode(1, true)) ?? new Float32Array();
  const encoded = (await theirs.ask({ do: "encode", runs: 1 })) as unknown as { readonly values: readonly number[] };
  report("encodings", sampled(tiles, ours), encoded.values);
  const losses = await ours.train(3);
  report("losses", losses, (await theirs.ask({ do: "train", steps: 3 })).losses);
}

/** The places that `reference.py` gives: first and last view, every 47th token, every 61st feature. */
function sampled(tiles: Float32Array, { model, arrays }: MixerSide): number[] {
  const { nTokens, config } = model;
  const { width } = config.mixer;
  const nViews = arrays["tokens.f32"].length / nTokens / config.dIn;
  const step = Math.max(1, nViews - 1);
  const found: number[] = [];
  for (let v = 0; v < nViews; v += step)
    for (let t = 0; t < nTokens; t += 47)
      for (let c = 0; c < width; c += 61) found.push(tiles[(v * nTokens + t) * width + c] ?? Number.NaN);
  return found;
}

function report(what: string, found: readonly number[], expected: readonly number[]): void {
  const scale = Math.max(...expected.map(Math.abs));
  const gap = Math.max(...expected.map((value, i) => Math.abs(value - (found[i] ?? Number.NaN)))) / scale;
  const shown = (values: readonly number[]) =>
    values
      .slice(0, 3)
      .map((value) => value.toFixed(7))
      .join(" ");
  console.log(`  ${what}: ours ${shown(found)} | torch ${shown(expected)}, greatest gap ${gap.toExponential(1)}`);
  // Not `gap >`: that lets NaN pass.
  if (!(gap <= toleranceOn(values.device, TOLERANCE)) || found.length !== expected.length) process.exitCode = 1;
}

async function timed(work: () => Promise<unknown>, pid: number | undefined, times: Times): Promise<void> {
  const [startMs, startCpu] = [performance.now(), cpuMs(pid)];
  await work();
  times.wall.push(performance.now() - startMs);
  times.cpu.push(cpuMs(pid) - startCpu);
}

/** Alternates the sides; the first round warms both and is not counted. */
async function alternate(
  ours: MixerSide,
  theirs: Reference | undefined,
  nRounds: number,
  { own, command }: { readonly own: () => Promise<unknown>; readonly command: string },
): Promise<{ readonly ours: Times; readonly theirs: Times }> {
  const times = { ours: { wall: [], cpu: [] } as Times, theirs: { wall: [], cpu: [] } as Times };
  const argument = command === "train" ? { steps: 1 } : { runs: 1 };
  for (let round = 0; round <= nRounds; round++) {
    const into = round === 0 ? { ours: { wall: [], cpu: [] }, theirs: { wall: [], cpu: [] } } : times;
    await timed(own, ours.engine.stats().pid, into.ours);
    if (theirs !== undefined) await timed(() => theirs.ask({ do: command, ...argument }), theirs.pid, into.theirs);
  }
  return times;
}

function printRates(
  what: string,
  nViews: number,
  flop: number,
  times: { readonly ours: Times; readonly theirs: Times },
) {
  const side = (name: string, { wall, cpu }: Times) => {
    const [ms, least] = [median(wall), Math.min(...wall)];
    const rate = (nViews / ms) * 1e3;
    const gflops = (flop * nViews) / ms / 1e6;
    const most = ((nViews / least) * 1e3).toFixed(1);
    return `${name} ${rate.toFixed(1)} regions/s (most ${most}; ${gflops.toFixed(0)} GFLOP/s; ${median(cpu).toFixed(0)} ms of processors)`;
  };
  const parts = [side("ours", times.ours)];
  if (times.theirs.wall.length > 0) {
    const ratio = (field: keyof Times) =>
      median(times.theirs[field].map((ms, i) => ms / (times.ours[field][i] ?? Number.NaN))).toFixed(2);
    const least = (Math.min(...times.theirs.wall) / Math.min(...times.ours.wall)).toFixed(2);
    parts.push(side("torch", times.theirs));
    parts.push(
      `ours/torch: median of rounds ${ratio("wall")}, of the least ${least}, by processor time ${ratio("cpu")}`,
    );
  }
  console.log(`  ${what.padEnd(12)} ${parts.join(" | ")}`);
}

function printMemory(ours: MixerSide, theirs: Reference | undefined): void {
  const most = (name: string, pid: number | undefined) => `${name} ${memoryMib(pid, "VmHWM").toFixed(0)} MiB`;
  const base = ` (${ours.baseMib.toFixed(0)} before there was anything)`;
  const parts = [most("ours", ours.engine.stats().pid) + base];
  if (theirs !== undefined) parts.push(most("torch", theirs.pid));
  console.log(`  ${"peak memory".padEnd(12)} ${parts.join(" | ")}`);
}

async function measurePaired(workload: MixerWorkload, nRounds: number): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "parfocal-bench-"));
  const ours = await startMixerSide(workload);
  const theirs = await openReference(folder, ours, workload);
  try {
    const { nViews, threads } = workload;
    const version = theirs?.version ?? "absent";
    console.log(
      `preset S, regions of ${ours.model.nTokens} tiles x ${D}, ${nViews} views, ${device}, ${threads} threads, torch ${version}`,
    );
    if (theirs !== undefined) await compare(ours, theirs);
    const train = await alternate(ours, theirs, nRounds, { own: () => ours.train(1), command: "train" });
    printRates("pretraining", nViews, stepFlop(ours.model), train);
    printMemory(ours, theirs);
    const encode = await alternate(ours, theirs, nRounds, { own: () => ours.encode(1), command: "encode" });
    printRates("encoding", nViews, encodeFlop(D, ours.model.config.mixer, ours.model.nTokens), encode);
  } finally {
    await theirs?.close();
    await ours.close();
    await rm(folder, { recursive: true, force: true });
  }
}

/** Encoding of regions of other sizes against the cost model, whose rate is that of r = 3. */
async function measureSizes(sizes: readonly number[], nRounds: number, threads: number): Promise<void> {
  const measured: { readonly r: number; readonly nTokens: number; readonly gflop: number; readonly ms: number }[] = [];
  const sides: { readonly r: number; readonly nViews: number; readonly side: MixerSide; readonly times: Times }[] = [];
  try {
    for (const r of sizes) {
      const { nTokens } = buildPretrainModel({ dIn: D, mixer: { regionTiles: r } });
      const nViews = Math.max(1, Math.round(1512 / nTokens));
      const side = await startMixerSide({ dIn: D, mixer: { regionTiles: r }, nViews, threads });
      sides.push({ r, nViews, side, times: { wall: [], cpu: [] } });
    }
    for (let round = 0; round <= nRounds; round++)
      for (const { side, times } of sides)
        await timed(() => side.encode(1), side.engine.stats().pid, round === 0 ? { wall: [], cpu: [] } : times);
    for (const { r, nViews, side, times } of sides) {
      const { nTokens, config } = side.model;
      const gflop = encodeFlop(D, config.mixer, nTokens) / 1e9;
      // Processor time: what others do on the machine then counts least.
      measured.push({ r, nTokens, gflop, ms: Math.min(...times.cpu) / nViews });
    }
  } finally {
    for (const { side } of sides) await side.close();
  }
  const rule = measured.find(({ r }) => r === 3) ?? measured[0];
  if (rule === undefined) return;
  for (const { r, nTokens, gflop, ms } of measured) {
    const predicted = (rule.ms * gflop) / rule.gflop;
    const gap = ms / predicted - 1;
    const text = `r = ${r}: ${nTokens} tiles, ${gflop.toFixed(2)} GFLOP, predicted ${predicted.toFixed(1)} ms`;
    console.log(`  ${text}, measured ${ms.toFixed(1)} ms of processors a region (${(100 * gap).toFixed(0)} %)`);
    if (!(Math.abs(gap) <= MODEL_TOLERANCE)) process.exitCode = 1;
  }
}

const { values } = parseArgs({
  options: {
    views: { type: "string", default: "32" },
    rounds: { type: "string", default: "5" },
    threads: { type: "string", default: `${availableParallelism()}` },
    sizes: { type: "string", default: "1,2,3,4" },
    device: { type: "string", default: "cpu" },
  },
});
console.log(describeMachine());
const nRounds = Number(values.rounds);
const { device } = values;
const threads = Number(values.threads);
const nViews = Number(values.views);
if (nViews > 0) await measurePaired({ dIn: D, mixer: {}, nViews, threads, device }, nRounds);
if (values.sizes !== "") await measureSizes(values.sizes.split(",").map(Number), nRounds, threads);
console.log(describeMachine());
