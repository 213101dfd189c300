import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { type BagMetadata, writeBag } from "@parfocal/bags";
import { createEngine, type Engine } from "@parfocal/engine";
import { createRng } from "@parfocal/metrics";
import { type ObjectStore, openStore } from "@parfocal/store";
import type { LabelledBag, TrainDeps, TrainEvent, TrainedModel } from "../job.ts";

/** A store in a folder of its own and an engine on it. Close it. */
export interface World {
  readonly store: ObjectStore;
  readonly engine: Engine;
  /** What a training needs; it takes a checkpoint after each epoch. */
  deps(name?: string): TrainDeps;
  close(): Promise<void>;
}

/** Opens a world. One thread, so that tests running side by side do not fight for the cores. */
export async function openWorld(): Promise<World> {
  const folder = await mkdtemp(join(tmpdir(), "parfocal-training-"));
  const { href: uri } = pathToFileURL(folder);
  const store = openStore(uri);
  const engine = createEngine({ store: { uri }, intraOpThreads: 1 });
  return {
    store,
    engine,
    deps: (name = "test") => ({ engine, store, name, nowMs: () => performance.now(), checkpointMs: 0 }),
    async close() {
      await engine.close();
      store.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** What a planted cohort is made of. */
export interface CohortOptions {
  readonly nBags: number;
  readonly d: number;
  readonly seed: bigint;
  /** Distance of the signal tiles along the first feature. */
  readonly signal?: number;
  readonly metadata?: BagMetadata;
}

/** Bags of 5 to 20 normal tiles; in every other bag two tiles carry the signal, and the label is 1. */
export async function writeCohort(store: ObjectStore, options: CohortOptions): Promise<LabelledBag[]> {
  const { nBags, d, signal = 6 } = options;
  const bags: LabelledBag[] = [];
  for (let i = 0; i < nBags; i++) {
    const rng = createRng(options.seed).fork(`bag ${i}`);
    const n = 5 + rng.nextInt(16);
    const label = i % 2;
    const data = Float32Array.from({ length: n * d }, () => rng.normal());
    if (label === 1) for (const tile of [0, 3]) data[tile * d] = signal + rng.normal();
    const features = { dtype: "F32", data } as const;
    const bag = await writeBag(store, "bags/", { n, d, features, metadata: { ...options.metadata } });
    bags.push({ bag, label, patient: `p${i}` });
  }
  return bags;
}

/** Runs a training to its end. @throws What the training throws. */
export async function collect(
  events: AsyncIterable<TrainEvent>,
): Promise<{ events: TrainEvent[]; trained: TrainedModel }> {
  const all: TrainEvent[] = [];
  for await (const event of events) all.push(event);
  const last = all.at(-1);
  if (last?.kind !== "done") throw new Error("the training ended without a model");
  return { events: all, trained: last.trained };
}
