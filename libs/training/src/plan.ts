import { createHash } from "node:crypto";
import type { BagRef } from "@parfocal/bags";
import { DomainError } from "@parfocal/errors";
import type { Split } from "@parfocal/metrics";
import { buildModel, type Model } from "@parfocal/models";
import { assignParts } from "./assign-parts.ts";
import { assertSourceFits, type BagInput, readBagInputs } from "./bag-inputs.ts";
import { type FlatLayout, flatLayout } from "./flat-layout.ts";
import type { BagSourceFacts, TrainDeps, TrainJob } from "./job.ts";
import { createOptimiser, type Optimiser } from "./optimiser.ts";
import { assertLabel, encodeTarget, fitClassWeights } from "./target.ts";
import { type TrainSpec, trainSpecJson } from "./train-spec.ts";

/** A training made ready: everything checked, nothing computed yet. */
export interface TrainPlan {
  readonly job: TrainJob;
  readonly spec: TrainSpec;
  readonly model: Model;
  readonly layout: FlatLayout;
  readonly optimiser: Optimiser;
  readonly split: Split;
  /** By row of the job's bags. */
  readonly inputs: readonly BagInput[];
  /** `[2, K]` by row: with smoothing and weights for bags that train, plain for the others. */
  readonly targets: readonly Float32Array<ArrayBuffer>[];
  readonly source: BagSourceFacts;
  /** SHA-256 of contents, labels and parts of the bags. */
  readonly dataDigest: string;
  /** Where a bag's re-embedded tiles lie in the engine between two runs; forgotten with the training's state. */
  readonly scratchName: string;
  /** SHA-256 of everything that decides the result: the data and the specification. */
  readonly jobDigest: string;
}

/**
 * Checks a job whole and reads the headers of its bags.
 *
 * @throws {DomainError} `INVALID_ARGUMENT` for labels and fields out of bounds; `GEOMETRY_MISMATCH` when bags differ in
 * width, encoder or geometry; `LABEL_LEAKAGE`; `PRECONDITION_FAILED` when a part is missing that the specification needs;
 * what the store throws.
 */
export async function planTraining(job: TrainJob, deps: TrainDeps, signal: AbortSignal): Promise<TrainPlan> {
  const { spec, bags } = job;
  const model = buildModel({ ...spec.model, dIn: commonWidth(bags.map(({ bag }) => bag)) });
  for (const { label } of bags) assertLabel(model.config.task, label);
  const split = assignParts(bags, spec);
  assertPartsSuffice(spec, split);
  const dataDigest = digestOfData(job, split);
  const refs = bags.map(({ bag }) => bag);
  const inputs = await readBagInputs(deps.store, refs, model, signal);
  return {
    job,
    spec,
    model,
    layout: flatLayout(model.parameters),
    optimiser: createOptimiser(spec.optimiser),
    split,
    inputs,
    targets: targetsOf(job, model, split),
    source: commonSource(inputs),
    dataDigest,
    scratchName: `train/${deps.name}/tiles`,
    jobDigest: sha256(JSON.stringify([trainSpecJson(spec), dataDigest])),
  };
}

/** @throws {DomainError} `INVALID_ARGUMENT` without bags; `GEOMETRY_MISMATCH` naming two widths that differ. */
function commonWidth(refs: readonly BagRef[]): number {
  const [first] = refs;
  if (first === undefined)
    throw new DomainError("INVALID_ARGUMENT", "the job has 0 bags; it needs at least 1 to train");
  const other = refs.find((ref) => ref.d !== first.d);
  if (other === undefined) return first.d;
  const message = `bags have ${first.d} and ${other.d} features per tile; a model takes one width`;
  throw new DomainError("GEOMETRY_MISMATCH", message);
}

/**
 * The encoder and geometry that the bags agree on: of each field the first value that any of them gives.
 *
 * @throws {DomainError} `GEOMETRY_MISMATCH` naming two values that differ.
 */
function commonSource(inputs: readonly BagInput[]): BagSourceFacts {
  let facts: BagSourceFacts = {};
  for (const { metadata } of inputs) {
    const { encoder, tilePx, mpp } = metadata;
    const found = {
      ...(encoder !== undefined && { encoder }),
      ...(tilePx !== undefined && { tilePx }),
      ...(mpp !== undefined && { mpp }),
    };
    assertSourceFits(facts, found);
    facts = { ...found, ...facts };
  }
  return facts;
}

function assertPartsSuffice(spec: TrainSpec, split: Split): void {
  if (split.validation.length > 0) return;
  const needing = spec.earlyStopping
    ? "early stopping"
    : spec.schedule.kind === "plateau"
      ? "a plateau schedule"
      : null;
  if (needing === null) return;
  throw new DomainError("PRECONDITION_FAILED", `${needing} needs a validation part; it has 0 bags`);
}

function targetsOf(job: TrainJob, model: Model, split: Split): Float32Array<ArrayBuffer>[] {
  const { task } = model.config;
  const { labelSmoothing, classWeights: mode } = job.spec;
  const trained = new Set(split.train);
  const labels = job.bags.map(({ label }) => label);
  const classWeights = fitClassWeights(
    task,
    labels.filter((_, row) => trained.has(row)),
    mode,
  );
  const plain = { labelSmoothing: 0, classWeights: fitClassWeights(task, labels, "none") };
  return labels.map((label, row) =>
    encodeTarget(task, label, trained.has(row) ? { labelSmoothing, classWeights } : plain),
  );
}

/** SHA-256 of what the training is made from: contents of the bags, labels, parts. */
function digestOfData({ bags }: TrainJob, split: Split): string {
  const contents = bags.map(({ bag, label }) => [bag.digest, label]);
  return sha256(JSON.stringify([contents, split.train, split.validation, split.test]));
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
