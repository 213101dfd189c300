import { createHash } from "node:crypto";
import { DomainError } from "@parfocal/errors";
import { createRng, splitPatients } from "@parfocal/metrics";
import { buildPretrainModel, type PretrainModel } from "@parfocal/models";
import { patientsOf } from "../assign-parts.ts";
import { type FlatLayout, flatLayout } from "../flat-layout.ts";
import type { BagSourceFacts } from "../job.ts";
import { createOptimiser, type Optimiser } from "../optimiser.ts";
import { commonWidth } from "../plan.ts";
import { INITIAL_PLATEAU, scheduleFactor } from "../schedule.ts";
import { type BatchMaker, createBatchMaker } from "./draw-batch.ts";
import { sourceTilesOf, type ViewRule } from "./draw-views.ts";
import { openSlides } from "./open-slides.ts";
import type { PretrainDeps, PretrainJob, RegionBag } from "./pretrain-job.ts";
import {
  BASE_BATCH,
  DEFAULT_PASSES,
  decisivePretrainJson,
  MOST_DEFAULT_REGIONS,
  type PretrainSpec,
} from "./pretrain-spec.ts";
import { createRegionPool, type RegionPool } from "./region-pool.ts";
import { createSampleOrder } from "./sample-order.ts";
import type { FeatureType } from "./view-batch.ts";

/** Regions of a part and what makes batches of them. */
interface RegionPart {
  readonly nRegions: number;
  readonly makeBatch: BatchMaker;
  /** What errors name its regions by. */
  readonly pool: Pick<RegionPool, "digestOf">;
}

/** A pretraining made ready: everything checked, nothing computed yet. */
export interface PretrainPlan {
  readonly job: PretrainJob;
  readonly spec: PretrainSpec;
  readonly model: PretrainModel;
  readonly layout: FlatLayout;
  readonly optimiser: Optimiser;
  readonly train: RegionPart;
  readonly validation: RegionPart;
  readonly featureType: FeatureType;
  readonly length: PretrainLength;
  readonly source: BagSourceFacts;
  /** SHA-256 of contents and parts of the bags. */
  readonly dataDigest: string;
  /** SHA-256 of everything that decides the result: the data and the specification. */
  readonly jobDigest: string;
}

/** How long a pretraining is. */
export interface PretrainLength {
  readonly nUpdates: number;
  readonly nWarmup: number;
  readonly checkpointUpdates: number;
  /** Updates between rows of the history. */
  readonly historyUpdates: number;
}

/**
 * Checks a job whole and reads where the blocks of its bags lie.
 *
 * @throws {DomainError} `INVALID_ARGUMENT` for fields out of bounds; `GEOMETRY_MISMATCH` when bags differ in width, encoder or
 * resolution, or are no region bags; `PRECONDITION_FAILED` when nothing is left to learn from; what the store throws.
 */
export async function planPretraining(
  job: PretrainJob,
  deps: PretrainDeps,
  signal: AbortSignal,
): Promise<PretrainPlan> {
  const { spec, bags } = job;
  const model = buildPretrainModel({ ...spec.model, dIn: commonWidth(bags.map(({ bag }) => bag)) });
  const split = splitBags(bags, spec);
  const opened = await openSlides(job, model.config, deps.store, signal);
  const featureType = bags.every(({ bag }) => bag.dtype === "F16") ? "f16" : "f32";
  const partOf = (rows: readonly number[], name: string, drawn: Pick<ViewRule, "augment" | "paths">): RegionPart => {
    const pool = createRegionPool(
      rows.flatMap((row) => opened.slides[row] ?? []),
      name,
    );
    const order = createSampleOrder(createRng(spec.seed).fork(`${name} samples`), Math.max(1, pool.nRegions));
    const rule = { config: model.config, minPresence: spec.minPresence, ...drawn };
    return { nRegions: pool.nRegions, pool, makeBatch: createBatchMaker({ model, pool, order, rule, featureType }) };
  };
  const train = partOf(split.train, "training", { augment: spec.augment, paths: model.paths });
  const validation = partOf(split.validation, "validation", { augment: false });
  assertPartsFilled(spec, { train, validation }, { nCells: opened.nCells, sourceTiles: sourceTilesOf(model.config) });
  const dataDigest = sha256(JSON.stringify([bags.map(({ bag }) => bag.digest), split.train, split.validation]));
  return {
    ...{ job, spec, model, train, validation, featureType, dataDigest },
    layout: flatLayout(model.parameters),
    optimiser: createOptimiser(spec.optimiser),
    length: lengthOf(spec, train.nRegions),
    source: opened.source,
    jobDigest: sha256(JSON.stringify([decisivePretrainJson(spec), dataDigest])),
  };
}

/** Whole patients into training and validation. @throws {DomainError} `PRECONDITION_FAILED` when a part gets none. */
function splitBags(bags: readonly RegionBag[], { validationFraction: validation, seed }: PretrainSpec) {
  const patients = patientsOf(bags);
  const fractions = { train: 1 - validation, validation, test: 0 };
  const labels = bags.map(() => null);
  const [split] = splitPatients({ patients, labels, plan: { kind: "holdout", fractions }, seed });
  if (split === undefined) throw new DomainError("INTERNAL", "the split gave no part");
  return split;
}

type Parts = Readonly<Record<"train" | "validation", RegionPart>>;

/** What regions are drawn from. */
interface Drawn {
  /** Coarse cells of all bags. */
  readonly nCells: number;
  /** Coarse tiles along a side of what is drawn at once: of a region, or of the source of two crops. */
  readonly sourceTiles: number;
}

function assertPartsFilled(
  { minPresence, validationFraction }: PretrainSpec,
  parts: Parts,
  { nCells, sourceTiles }: Drawn,
): void {
  const isWanted = { train: true, validation: validationFraction > 0 };
  for (const part of ["train", "validation"] as const) {
    if (!isWanted[part] || parts[part].nRegions > 0) continue;
    const side = `${sourceTiles} × ${sourceTiles} coarse tiles`;
    const message = `the ${part} part has no place of ${side} with ${minPresence} of every magnification's tiles; the bags have ${nCells} coarse cells; fewer tiles a side or a smaller minPresence find some`;
    throw new DomainError("PRECONDITION_FAILED", message, {
      details: { minPresence: `${minPresence}`, sourceTiles: `${sourceTiles}` },
    });
  }
}

/** Rows of the history at most. */
const HISTORY_ROWS = 100;

/** Checkpoints of a pretraining when nobody says. */
const USUAL_CHECKPOINTS = 20;

/** How long a pretraining on `nRegions` is; the last update is a whole one. */
export function lengthOf(spec: PretrainSpec, nRegions: number): PretrainLength {
  const usual = Math.min(DEFAULT_PASSES * nRegions, MOST_DEFAULT_REGIONS);
  const nUpdates = Math.ceil((spec.totalRegions ?? usual) / spec.batchRegions);
  return {
    nUpdates,
    nWarmup: Math.round(spec.warmupFraction * nUpdates),
    checkpointUpdates: spec.checkpointUpdates ?? Math.ceil(nUpdates / USUAL_CHECKPOINTS),
    historyUpdates: Math.ceil(nUpdates / HISTORY_ROWS),
  };
}

/**
 * Step size of update `update`, counted from 0: the optimiser's × batch / 256, after a linear warm-up along half a cosine to 0.
 *
 * Source: Goyal et al. 2017 (linear scaling), Loshchilov & Hutter 2017 (cosine); Zimmermann et al. 2026 name all three.
 */
export function pretrainLearningRate(
  { optimiser, batchRegions }: Pick<PretrainSpec, "optimiser" | "batchRegions">,
  { nUpdates, nWarmup }: Pick<PretrainLength, "nUpdates" | "nWarmup">,
  update: number,
): number {
  const peak = (optimiser.learningRate * batchRegions) / BASE_BATCH;
  const schedule = { kind: "cosine", warmupEpochs: nWarmup, floor: 0, factor: 1, patience: 0 } as const;
  return peak * scheduleFactor(schedule, { update, nUpdates, nUpdatesPerEpoch: 1, plateau: INITIAL_PLATEAU });
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
