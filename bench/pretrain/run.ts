/**
 * @file Pretrains a region mixer on synthetic region bags of a folder, as the stage does: regions per second, the share of the
 * time in which the engine waited for regions, and memory of both processes.
 *
 *     node bench/pretrain/run.ts [--preset s] [--updates 12] [--batch 32] [--micro 32] [--slides 8] [--side 16] [--threads 2]
 *         [--device cpu] [--ratio 0.5] [--source 7]
 *
 * `--side`: coarse cells along a slide, each with 21 tiles. `--source`: contrastive, two crops out of so many coarse tiles.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { writeBag } from "@parfocal/bags";
import { createEngine } from "@parfocal/engine";
import { createRng } from "@parfocal/metrics";
import { type ObjectStore, openStore } from "@parfocal/store";
import { type PretrainEvent, parsePretrainSpec, pretrain, type RegionBag } from "@parfocal/training";
import { cpuMs, describeMachine, memoryMib } from "../lib/machine.ts";

const D = 1280;
const LEVELS = 3;
/** Tiles of a coarse cell: itself, 4 and 16. */
const SLOTS = 21;
const COARSE_PX = 896;

const { values } = parseArgs({
  options: {
    preset: { type: "string", default: "s" },
    updates: { type: "string", default: "12" },
    batch: { type: "string", default: "32" },
    micro: { type: "string" },
    slides: { type: "string", default: "8" },
    side: { type: "string", default: "16" },
    threads: { type: "string", default: `${availableParallelism()}` },
    device: { type: "string", default: "cpu" },
    ratio: { type: "string", default: "0.5" },
    source: { type: "string" },
  },
});

/** A bag whose coarse cells are all there, in the order of a region bag. */
async function plantSlide(store: ObjectStore, slide: number, side: number): Promise<RegionBag> {
  const n = side * side * SLOTS;
  const rng = createRng(BigInt(slide));
  const table = Float16Array.from({ length: 65_537 }, () => 2 * rng.nextFloat() - 1);
  const halves = new Float16Array(n * D);
  for (let at = 0; at < halves.length; at += table.length)
    halves.set(table.subarray(0, Math.min(table.length, halves.length - at)), at);
  const places = Array.from({ length: n }, (_, row) => placeOf(Math.floor(row / SLOTS), row % SLOTS, side));
  const bag = await writeBag(store, "bags/", {
    ...{ n, d: D, features: { dtype: "F16", data: new Uint16Array(halves.buffer) } },
    coords: Int32Array.from(places.flatMap(({ x, y }) => [x, y])),
    level: Uint8Array.from(places, ({ level }) => level),
    metadata: { levelCount: LEVELS, anchorPx: [0, 0], level0StridePx: COARSE_PX },
  });
  return { bag, patient: `p${slide}` };
}

function placeOf(cell: number, slot: number, side: number) {
  const m = slot === 0 ? 0 : slot < 5 ? 1 : 2;
  const within = slot - [0, 1, 5].slice(m, m + 1).reduce((sum, first) => sum + first, 0);
  const px = COARSE_PX / 2 ** m;
  const x = (cell % side) * COARSE_PX + (within % 2 ** m) * px;
  const y = Math.floor(cell / side) * COARSE_PX + Math.floor(within / 2 ** m) * px;
  return { x, y, level: LEVELS - 1 - m };
}

/** Adds up the reports but the first, in which graphs are captured and the session is made. */
function createTotals(pids: readonly (number | undefined)[]) {
  let [regions, seconds, waiting] = [0, 0, 0];
  let seen = 0;
  let cpuBefore: number[] = [];
  return {
    add(event: Extract<PretrainEvent, { kind: "report" }>): void {
      const own = event.regionsSeen - seen;
      seen = event.regionsSeen;
      if (own === event.regionsSeen) {
        cpuBefore = pids.map(cpuMs);
        return;
      }
      regions += own;
      seconds += own / event.regionsPerS;
      waiting += (own / event.regionsPerS) * event.loaderWait;
    },
    print(): void {
      const rate = regions / seconds;
      console.log(`${rate.toFixed(2)} regions/s over ${regions} regions; engine waited ${share(waiting / seconds)}`);
      const [own = 0, theirs = 0] = pids.map((pid, i) => (cpuMs(pid) - (cpuBefore[i] ?? 0)) / regions);
      console.log(`processor time per region: loader ${own.toFixed(2)} ms, engine ${theirs.toFixed(0)} ms`);
    },
  };
}

function share(value: number): string {
  return `${(100 * value).toFixed(2)} % of the time`;
}

const folder = await mkdtemp(join(tmpdir(), "parfocal-bench-"));
const { href: uri } = pathToFileURL(folder);
const store = openStore(uri);
const engine = createEngine({ device: values.device, intraOpThreads: Number(values.threads) });
try {
  await engine.ready();
  const [batch, updates] = [Number(values.batch), Number(values.updates)];
  const bags: RegionBag[] = [];
  for (let slide = 0; slide < Number(values.slides); slide++)
    bags.push(await plantSlide(store, slide, Number(values.side)));
  const spec = parsePretrainSpec({
    mixer: { preset: values.preset, regionTiles: 3, levelCount: LEVELS },
    masked: { removalRatio: Number(values.ratio) },
    ...(values.source !== undefined && { contrastive: { sourceTiles: Number(values.source) } }),
    batchRegions: batch,
    ...(values.micro !== undefined && { microBatchRegions: Number(values.micro) }),
    ...{ totalRegions: batch * updates, validationFraction: 0, checkpointUpdates: updates },
  });
  console.log(describeMachine());
  const kind = values.source === undefined ? "masked" : `contrastive from ${values.source}`;
  console.log(
    `preset ${values.preset}, r = 3, D = ${D}, ${kind}, ρ = ${values.ratio}, batch ${batch}, ${values.device}`,
  );
  const totals = createTotals([process.pid, engine.stats().pid]);
  const deps = { engine, store, name: "bench", nowMs: () => performance.now() };
  for await (const event of pretrain({ spec, bags, regionsPrefix: "derived" }, deps, new AbortController().signal)) {
    if (event.kind === "regions") console.log(`${event.nTrain} regions, ${event.nParameters} parameters`);
    if (event.kind !== "report") continue;
    totals.add(event);
    const { update, regionsPerS, loaderWait, loss } = event;
    console.log(
      `update ${update}: ${regionsPerS.toFixed(2)} regions/s, waited ${share(loaderWait)}, loss ${loss.toFixed(4)}`,
    );
  }
  totals.print();
  const [own, theirs] = [memoryMib("self", "VmHWM"), memoryMib(engine.stats().pid, "VmHWM")];
  console.log(`memory at most: loader ${own.toFixed(0)} MiB, engine ${theirs.toFixed(0)} MiB`);
} finally {
  await engine.close();
  store.close();
  await rm(folder, { recursive: true, force: true });
}
