/**
 * How fast regions are built and read on a local folder, and that neither holds the store in memory.
 *
 *   node bench/regions/read.ts [--slides 16] [--cells 32] [--reads 2000] [--flight 8] [--rounds 5]
 *
 * Slides of `cells`² coarse cells at three magnifications, 1280 features in half precision, are planted and built by a
 * process of their own; then regions of r = 3 and sources of s = 7 are read at random places, `flight` at a time: a region
 * becomes one view of 189 tokens, a source two (crop and turn). The folder is read once before, so the numbers are those of
 * the page cache: what the reader itself costs. Rounds of both take turns.
 */
import { fork } from "node:child_process";
import { randomFillSync } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import {
  type Bag,
  type BagRef,
  buildRegionBag,
  createRegionReader,
  createRegionTokens,
  gatherTokensInto,
  type IndexedBag,
  openIndexedBag,
  type RegionReader,
  regionOrigins,
  writeBag,
} from "@parfocal/bags";
import { createViewTable, tokenCount } from "@parfocal/geometry";
import { createRng } from "@parfocal/metrics";
import { type ObjectStore, openStore } from "@parfocal/store";
import { describeMachine, memoryMib } from "../lib/machine.ts";
import { median } from "../lib/statistics.ts";

const D = 1280;
const LEVELS = 3;
const COARSE_PX = 1792;
const REGION = { regionTiles: 3, levelCount: LEVELS };
const N_TOKENS = tokenCount(REGION);
const MIB = 1024 * 1024;

/**
 * Operations of a training step of the mixer's preset `s` on one region, half of its tokens removed: encoder on those that
 * are left, decoder on all, a multiply-add counted twice, forward and backward as three forwards.
 */
const STEP_GFLOP = 15.4;

/** What the planting process tells. */
interface Planted {
  readonly refs: BagRef[];
  readonly buildMs: number;
  readonly featureBytes: number;
  readonly baseMib: number;
  readonly peakMib: number;
}

const { values } = parseArgs({
  options: {
    slides: { type: "string", default: "16" },
    cells: { type: "string", default: "32" },
    reads: { type: "string", default: "2000" },
    flight: { type: "string", default: "8" },
    rounds: { type: "string", default: "5" },
    plant: { type: "string" },
  },
});
const [nSlides, nCells, nReads] = [Number(values.slides), Number(values.cells), Number(values.reads)];
const [nFlight, nRounds] = [Number(values.flight), Number(values.rounds)];

/** One magnification of a slide that has every tile; features are random bits below 2. */
function plantBag(slide: number, m: number): Bag {
  const [side, columns] = [COARSE_PX / 2 ** m, nCells * 2 ** m];
  const n = columns * columns;
  const data = randomFillSync(new Uint16Array(n * D));
  for (let at = 0; at < data.length; at++) data[at] = (data[at] ?? 0) & 0xbbff;
  const coords = Int32Array.from({ length: 2 * n }, (_, at) => {
    return side * (at % 2 === 0 ? (at >> 1) % columns : Math.floor((at >> 1) / columns));
  });
  const metadata = { slideId: `${slide}`, tilePx: 224, mpp: 2 / 2 ** m, level0StridePx: side };
  return { n, d: D, features: { dtype: "F16", data }, coords, metadata };
}

async function plant(store: ObjectStore): Promise<Planted> {
  const written: BagRef[][] = [];
  for (let slide = 0; slide < nSlides; slide++) {
    const refs: BagRef[] = [];
    for (let m = 0; m < LEVELS; m++) refs.push(await writeBag(store, "bags/", plantBag(slide, m)));
    written.push(refs);
  }
  const baseMib = memoryMib("self", "VmRSS");
  const startMs = performance.now();
  const refs: BagRef[] = [];
  for (const bags of written) refs.push(await build(store, bags));
  const featureBytes = refs.reduce((sum, { n, d }) => sum + n * d * 2, 0);
  return { refs, buildMs: performance.now() - startMs, featureBytes, baseMib, peakMib: memoryMib("self", "VmHWM") };
}

async function build(store: ObjectStore, refs: readonly BagRef[]): Promise<BagRef> {
  const steps = buildRegionBag(store, { refs, folder: "regions" });
  for (;;) {
    const step = await steps.next();
    if (step.done === true) return step.value.ref;
  }
}

/** Plants in a process of its own, whose memory is then not this one's. */
async function plantElsewhere(uri: string): Promise<Planted> {
  const child = fork(fileURLToPath(import.meta.url), [...process.argv.slice(2), "--plant", uri]);
  const [planted] = (await once(child, "message")) as [Planted];
  await once(child, "exit");
  return planted;
}

/** Reads of one kind: what is read, and the views that it becomes. */
interface Workload {
  readonly name: string;
  readonly tiles: number;
  readonly nViews: number;
}

const WORKLOADS: readonly Workload[] = [
  { name: "regions, r = 3, one view", tiles: 3, nViews: 1 },
  { name: "sources, s = 7, two views", tiles: 7, nViews: 2 },
];

/** What one round gave. */
interface Rate {
  readonly perS: number;
  /** Processor time of a read in all threads: it says what a quiet machine would do. */
  readonly cpuMs: number;
}

/** Reads at random places, `nFlight` at a time, each into arrays that are used again. */
async function readAtRandom(
  reader: RegionReader,
  bags: readonly IndexedBag[],
  workload: Workload,
  seed: bigint,
): Promise<Rate> {
  const { tiles, nViews } = workload;
  const rng = createRng(seed);
  const views = createViewTable(tiles, REGION);
  const options = { regionTiles: tiles, step: "every", minPresence: 1 } as const;
  const origins = bags.map(({ index }) => regionOrigins(index, options));
  let nLeft = nReads;
  const work = async (): Promise<void> => {
    const out = createRegionTokens(N_TOKENS, { d: D, dtype: "F16" });
    while (nLeft-- > 0) {
      const at = rng.nextInt(bags.length);
      const cells = origins[at] ?? new Int32Array();
      const cell = 2 * rng.nextInt(cells.length / 2);
      const place = { origin: [cells[cell] ?? 0, cells[cell + 1] ?? 0] as const, tiles };
      const source = await reader.readSource(bags[at] as IndexedBag, place);
      for (let view = 0; view < nViews; view++) {
        gatherTokensInto(source, out, views.indices(rng.nextInt(views.cropCount), rng.nextInt(8)));
      }
    }
  };
  const [startMs, startCpu] = [performance.now(), process.cpuUsage()];
  await Promise.all(Array.from({ length: nFlight }, work));
  const { user, system } = process.cpuUsage(startCpu);
  return { perS: (nReads / (performance.now() - startMs)) * 1000, cpuMs: (user + system) / 1000 / nReads };
}

async function main(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "parfocal-bench-"));
  const uri = pathToFileURL(folder).href;
  console.log(`regions on a local folder: ${describeMachine()}`);
  const planted = await plantElsewhere(uri);
  const store = openStore(uri);
  try {
    reportBuild(planted);
    const bags = await Promise.all(planted.refs.map((ref) => openIndexedBag(store, ref, "cache")));
    await warm(store, planted.refs);
    await measure(store, bags, planted);
  } finally {
    store.close();
    await rm(folder, { recursive: true, force: true });
  }
}

function reportBuild({ buildMs, featureBytes, baseMib, peakMib }: Planted): void {
  const slideMib = featureBytes / nSlides / MIB;
  const rate = featureBytes / MIB / (buildMs / 1000);
  console.log(`  ${nSlides} slides of ${nCells}×${nCells} coarse cells, ${slideMib.toFixed(0)} MiB of features each`);
  console.log(
    `  built at ${rate.toFixed(0)} MiB/s of features; peak ${peakMib.toFixed(0)} MiB (${baseMib.toFixed(0)} before)`,
  );
}

/** Brings the region bags into the page cache. */
async function warm(store: ObjectStore, refs: readonly BagRef[]): Promise<void> {
  for (const { key } of refs) for await (const chunk of (await store.getStream(key)).chunks) void chunk;
}

async function measure(store: ObjectStore, bags: readonly IndexedBag[], { featureBytes }: Planted): Promise<void> {
  const reader = createRegionReader(store);
  const rates = WORKLOADS.map(() => [] as Rate[]);
  const baseMib = memoryMib("self", "VmHWM");
  for (let round = 0; round <= nRounds; round++) {
    for (const [at, workload] of WORKLOADS.entries()) {
      const rate = await readAtRandom(reader, bags, workload, BigInt(round));
      // The first round warms the compiler.
      if (round > 0) rates[at]?.push(rate);
    }
  }
  for (const [at, workload] of WORKLOADS.entries()) reportReads(workload, rates[at] ?? []);
  const nBytes = WORKLOADS.reduce((sum, { tiles }) => sum + tiles ** 2 * 21 * D * 2 * nReads * (nRounds + 1), 0);
  const read = `${(nBytes / MIB / 1024).toFixed(1)} GiB were read of a store of ${(featureBytes / MIB).toFixed(0)} MiB`;
  console.log(`  ${read}: peak ${memoryMib("self", "VmHWM").toFixed(0)} MiB, ${baseMib.toFixed(0)} before`);
}

function reportReads({ name, tiles, nViews }: Workload, rates: readonly Rate[]): void {
  const perS = rates.map((rate) => rate.perS);
  const rate = median(perS);
  const cpuMs = median(rates.map((each) => each.cpuMs));
  const gibPerS = (rate * tiles ** 2 * 21 * D * 2) / MIB / 1024;
  const fed = (rate * nViews * STEP_GFLOP) / 1000;
  const speed = `${rate.toFixed(0)} reads/s (best ${Math.max(...perS).toFixed(0)}), ${gibPerS.toFixed(2)} GiB/s`;
  console.log(`  ${name.padEnd(26)} ${speed}, ${cpuMs.toFixed(2)} ms of processor time each`);
  const views = `${(rate * nViews).toFixed(0)} views/s`;
  console.log(
    `  ${"".padEnd(26)} ${views} feed an engine of ${fed.toFixed(1)} TFLOP/s at ${STEP_GFLOP} GFLOP per view`,
  );
}

if (values.plant === undefined) await main();
else {
  const store = openStore(values.plant);
  const planted = await plant(store);
  store.close();
  process.send?.(planted);
  process.disconnect?.();
}
