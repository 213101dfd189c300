/**
 * @file The same graphs on several devices: what serving and training graphs give on each of them against the first, and the time that
 * they take.
 *
 *     node bench/devices/run.ts [--devices cpu,cuda:0] [--cases abmil:10000:train,…] [--rounds 5] [--threads 2]
 *
 * A case is `model:tiles:predict`, or `model:tiles:train` for prediction and training step; tiles of `mixer` are regions. Outputs
 * (without dropout), gradients at the initial weights and losses of three updates must agree, each relative to its largest, else the
 * exit code is 1.
 */
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { describeMachine } from "../lib/machine.ts";
import { median } from "../lib/statistics.ts";
import { GPU_TOLERANCE } from "../lib/tolerance.ts";
import { type Subject, type SubjectOptions, startSubject } from "./subjects.ts";

const HEADS = ["mean", "max", "abmil", "gated-abmil", "class-attention", "dsmil", "clam", "transmil", "dtfd"];

const LARGE = [
  "r2t:9000:train",
  "r2t:50000:predict",
  "roformer:10000:train",
  "roformer:30000:predict",
  "mixer:32:train",
];

/** Bags on which devices are compared; several blocks and regions with padding. The mixer's are regions. */
const N_COMPARED = { tiles: 2_000, regions: 4 };

type Values = Readonly<Record<string, Float32Array>>;

async function withSubject<T>(options: SubjectOptions, use: (subject: Subject) => Promise<T>): Promise<T> {
  const subject = await startSubject(options);
  try {
    return await use(subject);
  } finally {
    await subject.close();
  }
}

/** Outputs, gradients, and losses of three updates. Weights after AdamW tell nothing: it makes a full step of a gradient's last bit. */
function valuesOn(options: SubjectOptions): Promise<Values> {
  return withSubject(options, async (subject) => {
    const outputs = await subject.outputs();
    const gradients = await subject.gradients();
    return { ...outputs, gradients, losses: Float32Array.from(await subject.train(3)) };
  });
}

/** The greatest difference relative to the largest value; infinite when something is missing or not a number. */
function gapOf(expected: Float32Array, found: Float32Array | undefined): number {
  if (found?.length !== expected.length || expected.length === 0) return Number.POSITIVE_INFINITY;
  let [scale, gap] = [0, 0];
  for (const [i, value] of expected.entries()) {
    const difference = Math.abs(value - (found[i] ?? Number.NaN));
    scale = Math.max(scale, Math.abs(value));
    gap = Number.isNaN(difference) ? Number.POSITIVE_INFINITY : Math.max(gap, difference);
  }
  return scale === 0 ? gap : gap / scale;
}

async function compare(name: string, devices: readonly string[], threads: number): Promise<void> {
  const n = name === "mixer" ? N_COMPARED.regions : N_COMPARED.tiles;
  const options = { name, n, dropout: 0, threads };
  const [first = "", ...others] = devices;
  const expected = await valuesOn({ ...options, device: first });
  for (const device of others) {
    const found = await valuesOn({ ...options, device });
    const gaps = Object.entries(expected).map(([what, values]) => [what, gapOf(values, found[what])] as const);
    const text = gaps.map(([what, gap]) => `${what} ${gap.toExponential(1)}`).join(", ");
    const isFar = gaps.some(([, gap]) => !(gap <= GPU_TOLERANCE));
    console.log(`  ${device} against ${first}, ${n}: ${text}${isFar ? "  TOO FAR" : ""}`);
    if (isFar) process.exitCode = 1;
  }
}

async function timed(work: () => Promise<unknown>, nRounds: number): Promise<string> {
  const times: number[] = [];
  for (let round = 0; round <= nRounds; round++) {
    const startMs = performance.now();
    await work();
    // The first round warms up.
    if (round > 0) times.push(performance.now() - startMs);
  }
  return `${median(times).toFixed(1)} ms (least ${Math.min(...times).toFixed(1)})`;
}

function measure(options: SubjectOptions, work: string, nRounds: number): Promise<void> {
  return withSubject(options, async (subject) => {
    const parts = [`prediction ${await timed(() => subject.predict(), nRounds)}`];
    if (work === "train") parts.push(`training step ${await timed(() => subject.train(1), nRounds)}`);
    console.log(`  ${options.device}, ${options.n}: ${parts.join(", ")}`);
  });
}

const { values } = parseArgs({
  options: {
    devices: { type: "string", default: `cpu,${process.env.PARFOCAL_BENCH_DEVICE ?? "cuda:0"}` },
    cases: { type: "string", default: [...HEADS.map((head) => `${head}:10000:train`), ...LARGE].join(",") },
    rounds: { type: "string", default: "5" },
    threads: { type: "string", default: `${availableParallelism()}` },
  },
});
const devices = values.devices.split(",");
const threads = Number(values.threads);
const cases = values.cases.split(",").map((text) => text.split(":"));
console.log(describeMachine());
const compared = new Set<string>();
for (const [name = "", n, work = "predict"] of cases) {
  console.log(name);
  if (!compared.has(name)) await compare(name, devices, threads);
  compared.add(name);
  for (const device of devices)
    await measure({ name, n: Number(n), dropout: 0.25, device, threads }, work, Number(values.rounds));
}
