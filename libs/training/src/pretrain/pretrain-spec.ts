import { DomainError } from "@parfocal/errors";
import {
  type ConfigObject,
  type ConfigReader,
  createConfigReader,
  type PretrainModelConfig,
  parsePretrainModel,
} from "@parfocal/models";
import { type OptimiserConfig, optimiserJson, parseOptimiser } from "../optimiser-config.ts";
import { parseSeed } from "../train-spec.ts";

/** What to pretrain and how; every field that does not depend on the data has a value. */
export interface PretrainSpec {
  /** Mixer and objectives; the features of a tile come from the bags. */
  readonly model: Omit<PretrainModelConfig, "dIn">;
  /** AdamW, whose step size is for {@link BASE_BATCH} regions. */
  readonly optimiser: OptimiserConfig;
  /** Regions per update. */
  readonly batchRegions: number;
  /** Regions per run of the engine; divides the batch. */
  readonly microBatchRegions: number;
  /** Regions to see in all, a region counted each time; absent: {@link DEFAULT_PASSES} passes over the training part, at most {@link MOST_DEFAULT_REGIONS}. */
  readonly totalRegions?: number;
  /** Share of the updates that warm up. */
  readonly warmupFraction: number;
  /** Share of the patients whose regions are only measured. */
  readonly validationFraction: number;
  /** Share of its tiles that every magnification of a region must have. */
  readonly minPresence: number;
  /** Whether regions are turned and mirrored. */
  readonly augment: boolean;
  /** Updates between checkpoints; absent: about a twentieth of all. */
  readonly checkpointUpdates?: number;
  /** Drives weights, order, crops, turns, masks and split: same seed, same machine, same weights. */
  readonly seed: bigint;
}

/** Regions that are seen at most when nobody says: what passes over an archive add up to otherwise is beyond any use. */
export const MOST_DEFAULT_REGIONS = 50_000_000;

/** Regions for which the step size is given; that of other batches is proportional (Goyal et al. 2017). */
export const BASE_BATCH = 256;

/** Passes over the training part when nobody says how many regions are to be seen. */
export const DEFAULT_PASSES = 100;

/** Regions of one run when nobody says: enough to fill the cores, and a gradient's memory of about 2 GB at preset S. */
const USUAL_MICRO_BATCH = 32;

/** As in masked image modelling (He et al. 2022); the paper names AdamW, warm-up, cosine and the linear rule alone. */
const OPTIMISER = { kind: "adamw", learningRate: 1.5e-4, weightDecay: 0.05, beta1: 0.9, beta2: 0.95 } as const;

/**
 * Reads a pretraining. Everything may be left out: `mixer`, `masked`, `contrastive` (absent: none), `optimiser`, and the fields
 * of {@link PretrainSpec}.
 *
 * @throws {DomainError} `INVALID_ARGUMENT` naming an unknown field, or field, value and bound.
 */
export function parsePretrainSpec(json: unknown): PretrainSpec {
  const reader = createConfigReader(json, "pretrain");
  const contrastive = reader.optionalObject("contrastive");
  const objectives = { mixer: reader.object("mixer", {}), masked: reader.object("masked", {}) };
  const { dIn: _, ...model } = parsePretrainModel({ dIn: 1, ...objectives, ...(contrastive && { contrastive }) });
  const batchRegions = reader.number("batchRegions", { min: 1, max: 65_536, isInteger: true, fallback: 256 });
  const [total, checkpoint] = [optionalWhole(reader, "totalRegions"), optionalWhole(reader, "checkpointUpdates")];
  const spec: PretrainSpec = {
    model,
    optimiser: parseAdamw(reader.object("optimiser", {})),
    batchRegions,
    microBatchRegions: readMicroBatch(reader, batchRegions),
    ...(total !== undefined && { totalRegions: total }),
    warmupFraction: reader.number("warmupFraction", { min: 0, max: 1, fallback: 0.05 }),
    validationFraction: reader.number("validationFraction", { min: 0, max: 0.9, fallback: 0.1 }),
    minPresence: reader.number("minPresence", { min: 0, max: 1, fallback: 0.65 }),
    augment: reader.boolean("augment", true),
    ...(checkpoint !== undefined && { checkpointUpdates: checkpoint }),
    seed: parseSeed(reader.scalar("seed", 1), "pretrain.seed"),
  };
  reader.assertNoOthers();
  assertNegatives(spec);
  return spec;
}

/** Stands for a number that is absent: no JSON number can be it and pass the bounds below it. */
const ABSENT = Number.MAX_SAFE_INTEGER;

/** A number from 1 that may be absent. */
function optionalWhole(reader: ConfigReader, name: string): number | undefined {
  const value = reader.number(name, { min: 1, max: ABSENT, isInteger: true, fallback: ABSENT });
  return value === ABSENT ? undefined : value;
}

function parseAdamw(json: ConfigObject): OptimiserConfig {
  createConfigReader(json, "optimiser").choice("kind", ["adamw"], "adamw");
  const given = Object.entries(json).filter(([, value]) => value !== null && value !== undefined);
  return parseOptimiser({ ...OPTIMISER, ...Object.fromEntries(given) });
}

function readMicroBatch(reader: ConfigReader, batch: number): number {
  const fallback = largestDivisor(batch, USUAL_MICRO_BATCH);
  const micro = reader.number("microBatchRegions", { min: 1, max: batch, isInteger: true, fallback });
  if (batch % micro === 0) return micro;
  const message = `pretrain.microBatchRegions is ${micro}; it must divide pretrain.batchRegions, ${batch}`;
  throw new DomainError("INVALID_ARGUMENT", message, { details: { field: "pretrain.microBatchRegions" } });
}

/** The largest divisor of `value` that is at most `most`. */
function largestDivisor(value: number, most: number): number {
  for (let divisor = Math.min(value, most); divisor > 1; divisor--) if (value % divisor === 0) return divisor;
  return 1;
}

/** @throws {DomainError} `INVALID_ARGUMENT` for a contrastive objective without anything to contrast with. */
function assertNegatives({ model, batchRegions }: PretrainSpec): void {
  if (model.contrastive === undefined || batchRegions > 1) return;
  const message = `pretrain.batchRegions is ${batchRegions}; the contrastive objective needs at least 2`;
  throw new DomainError("INVALID_ARGUMENT", message, { details: { field: "pretrain.batchRegions" } });
}

/** A specification as JSON that {@link parsePretrainSpec} reads back, for manifests, checkpoints and digests. */
export function pretrainSpecJson({ model, optimiser, seed, ...rest }: PretrainSpec): ConfigObject {
  const { mixer, masked, contrastive } = model;
  const objectives = { mixer, masked, ...(contrastive && { contrastive }) };
  return { ...objectives, optimiser: optimiserJson(optimiser), ...rest, seed: seed.toString() };
}

/**
 * What a pretraining's identity is made of. What came to the specification later is left out where it says what was done before it, so
 * that a pretraining that was under way then goes on.
 */
export function decisivePretrainJson(spec: PretrainSpec): ConfigObject {
  const { mixer, ...rest } = pretrainSpecJson(spec);
  const { layerScaleInit, dropPath, ...always } = mixer as ConfigObject;
  const later = { ...(layerScaleInit !== 0 && { layerScaleInit }), ...(dropPath !== 0 && { dropPath }) };
  return { mixer: { ...always, ...later } as ConfigObject, ...rest };
}
