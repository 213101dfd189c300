/**
 * @file Runs the benchmarks one after the other: `npm run bench` all of them in their quick form, `npm run bench -- NAME...`
 * those named, `npm run bench -- --list` tells what there is. Each is a program of its own; `bench/README.md` says more.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { parseArgs } from "node:util";

/** One benchmark, relative to the repository's root. */
interface Benchmark {
  readonly name: string;
  readonly what: string;
  readonly path: string;
  /** Arguments of the quick form: a minute or less on 2 cores. */
  readonly quick: readonly string[];
  /** Setting without which it cannot run. */
  readonly needs?: string;
}

const BENCHMARKS: readonly Benchmark[] = [
  {
    name: "train-step",
    what: "training step and prediction against PyTorch, memory, matrix-product peak",
    path: "bench/train-step/run.ts",
    quick: ["--tiles", "4096", "--rounds", "5"],
  },
  {
    name: "reembed",
    what: "R2T and RoFormer with attention pooling against PyTorch: prediction, training step, memory",
    path: "bench/reembed/run.ts",
    quick: ["--cases", "r2t:9000:train,roformer:4096:train", "--rounds", "2"],
  },
  {
    name: "heads",
    what: "CLAM, TransMIL and DTFD-MIL against PyTorch: prediction, training step, memory",
    path: "bench/heads/run.ts",
    quick: ["--tiles", "4096", "--rounds", "2"],
  },
  {
    name: "devices",
    what: "the same graphs on the CPU and on a GPU: how far apart, prediction, training step",
    path: "bench/devices/run.ts",
    quick: ["--cases", "abmil:4096:train,r2t:4096:train", "--rounds", "2"],
    needs: "PARFOCAL_BENCH_DEVICE",
  },
  {
    name: "pretrain",
    what: "pretraining of a region mixer from a folder: regions per second, wait for the loader, memory",
    path: "bench/pretrain/run.ts",
    quick: ["--updates", "4", "--batch", "16", "--slides", "2", "--side", "8"],
  },
  {
    name: "mixer",
    what: "the region mixer against PyTorch: pretraining, encoding, memory; cost of region sizes",
    path: "bench/mixer/run.ts",
    quick: ["--views", "8", "--rounds", "2"],
  },
  {
    name: "reembed-service",
    what: "memory of the re-embedding service on a large bag, Predict through three services",
    path: "bench/reembed/service.ts",
    quick: ["--tiles", "30000", "--rounds", "2"],
  },
  {
    name: "intervals",
    what: "how often conformal sets, DeLong, bootstrap and Kaplan-Meier intervals hold the truth, by simulation",
    path: "bench/intervals/run.ts",
    quick: ["--trials", "100"],
  },
  {
    name: "capture",
    what: "capture and session creation",
    path: "bench/capture/run.ts",
    quick: ["--rounds", "3"],
  },
  {
    name: "predict",
    what: "what a unary Predict costs over the engine's own time",
    path: "bench/predict/latency.ts",
    quick: ["--calls", "200"],
  },
  {
    name: "gateway-memory",
    what: "memory of the gateway while large bags pass through the system",
    path: "bench/predict/gateway-memory.ts",
    quick: ["--mb", "1,100"],
  },
  {
    name: "gateway",
    what: "what the gateway adds at half load, calls per core, memory of 500 Watch streams",
    path: "bench/gateway/run.ts",
    quick: ["--seconds", "4", "--rounds", "1"],
  },
  {
    name: "batch",
    what: "how busy a batch keeps the engine, what a second replica of the stage gives",
    path: "bench/batch/run.ts",
    quick: ["--bags", "200"],
  },
  {
    name: "cancel",
    what: "how long a training goes on after its operation was cancelled",
    path: "bench/cancel/run.ts",
    quick: ["--rounds", "5"],
  },
  {
    name: "fuzz",
    what: "damaged files of every format from outside: what came of them, slowest case, memory",
    path: "bench/fuzz/run.ts",
    quick: ["--cases", "2000", "--seed", "1"],
  },
  {
    name: "engine",
    what: "process boundary, transfers, respawn, event loop beside a long graph",
    path: "libs/engine/bench/engine.ts",
    quick: ["5"],
  },
  {
    name: "store",
    what: "verified reads against bare ranged GETs of the same server",
    path: "bench/store/read.ts",
    quick: ["64", "3"],
    needs: "PARFOCAL_BENCH_STORE",
  },
  {
    name: "claims",
    what: "re-embedders read neighbourhoods that attention pooling cannot: planted cohorts",
    path: "bench/claims/neighbours.ts",
    quick: ["--seeds", "1,2"],
  },
  {
    name: "claims-magnifications",
    what: "pretraining on several magnifications lets few labels do: planted cohorts",
    path: "bench/claims/magnifications.ts",
    quick: ["--seeds", "1,2", "--rows", "AB-MIL all,Random all,MEM 0.50"],
  },
  {
    name: "regions",
    what: "build of region bags, random reads of regions and of contrastive sources, memory",
    path: "bench/regions/read.ts",
    quick: ["--slides", "4", "--cells", "16", "--reads", "500", "--rounds", "3"],
  },
  {
    name: "mil",
    what: "10-fold cross-validation of classic data sets through the gateway",
    path: "bench/mil/run.ts",
    quick: ["--sets", "musk1", "--repeats", "1"],
  },
];

/** Runs a benchmark as a program; gives its exit code. */
async function run({ name, path, quick, needs }: Benchmark): Promise<number> {
  if (needs !== undefined && process.env[needs] === undefined) {
    console.log(`\n== ${name}: skipped, ${needs} is not set`);
    return 0;
  }
  console.log(`\n== ${name}: node ${path} ${quick.join(" ")}`);
  const root = join(import.meta.dirname, "..");
  const child = spawn(process.execPath, [join(root, path), ...quick], { cwd: root, stdio: "inherit" });
  const [code] = (await once(child, "exit")) as [number | null];
  if (code !== 0) console.log(`== ${name} ended with ${code}`);
  return code ?? 1;
}

const { values, positionals } = parseArgs({ allowPositionals: true, options: { list: { type: "boolean" } } });
const unknown = positionals.find((name) => BENCHMARKS.every((benchmark) => benchmark.name !== name));
if (unknown !== undefined) {
  console.error(`no benchmark "${unknown}"; there are ${BENCHMARKS.map(({ name }) => name).join(", ")}`);
  process.exitCode = 2;
} else if (values.list) {
  for (const { name, what } of BENCHMARKS) console.log(`${name.padEnd(16)} ${what}`);
} else {
  const chosen = positionals.length === 0 ? BENCHMARKS : BENCHMARKS.filter(({ name }) => positionals.includes(name));
  for (const benchmark of chosen) if ((await run(benchmark)) !== 0) process.exitCode = 1;
}
