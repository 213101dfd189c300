import { createHash } from "node:crypto";
import type { BagRef } from "@parfocal/bags";
import { DomainError } from "@parfocal/errors";
import { assertDistinctContent, type Split } from "@parfocal/metrics";
import { buildModel, type Model, type Task } from "@parfocal/models";
import { assertRecipeFits } from "./assert-recipe.ts";
import { assertTestUnseen } from "./assert-test-unseen.ts";
import { assignParts, patientsOf } from "./assign-parts.ts";
import { assertGroupsFit, type BagGroup, doAllLearn, groupBags, labelOfGroup, type PartGroups } from "./bag-groups.ts";
import { type BagInput, readBagInputs } from "./bag-inputs.ts";
import { fitTask } from "./fit-task.ts";
import { type FlatLayout, flatLayout } from "./flat-layout.ts";
import type { BagSourceFacts, TrainDeps, TrainJob } from "./job.ts";
import { joinGroups } from "./join-groups.ts";
import { assertLabel, type Label } from "./label.ts";
import { createOptimiser, type Optimiser } from "./optimiser.ts";
import { identityOf, type SeenBags, seenOfTraining } from "./package/seen-bags.ts";
import { commonSource } from "./source-facts.ts";
import { openStart, type StartingWeights } from "./start-from.ts";
import { assertLevelsUnmixed } from "./surrogate-levels.ts";
import { encodeTarget, fitClassWeights } from "./target.ts";
import { decisiveSpecJson, type TrainSpec } from "./train-spec.ts";

/** A training made ready: everything checked, nothing computed yet. */
export interface TrainPlan {
  readonly job: TrainJob;
  readonly spec: TrainSpec;
  readonly model: Model;
  readonly layout: FlatLayout;
  readonly optimiser: Optimiser;
  readonly split: Split;
  /** The bags of each part by the label they share; each a group of its own without a rule for groups. */
  readonly groups: PartGroups;
  /** By row of the job's bags. */
  readonly inputs: readonly BagInput[];
  /** `[2, K]` by row: with smoothing and weights for bags that train, plain for the others. */
  readonly targets: readonly Float32Array<ArrayBuffer>[];
  readonly source: BagSourceFacts;
  /** SHA-256 of contents, labels and parts of the bags. */
  readonly dataDigest: string;
  /** Where a bag's re-embedded tiles lie in the engine between two runs; forgotten with the training's state. */
  readonly scratchName: string;
  /** The re-embedder that it starts from; absent: fresh weights. */
  readonly start?: StartingWeights;
  /** Which bags train and validate, here and in the trainings before. */
  readonly seen: SeenBags;
  /** SHA-256 of everything that decides the result: the data, the specification and where it starts from. */
  readonly jobDigest: string;
}

/**
 * Checks a job whole and reads the headers of its bags.
 *
 * @throws {DomainError} `INVALID_ARGUMENT` for labels and fields out of bounds; `GEOMETRY_MISMATCH` when bags differ in
 * width, encoder or geometry; as `openStart`; `LABEL_LEAKAGE`, also for a test part that
 * the model to start from has seen; `PRECONDITION_FAILED` when a part is missing that the specification needs;
 * as `assertLevelsUnmixed`, unless the specification lets magnifications be mixed; what the store throws.
 */
export async function planTraining(job: TrainJob, deps: TrainDeps, signal: AbortSignal): Promise<TrainPlan> {
  const { spec, bags } = job;
  const dIn = commonWidth(bags.map(({ bag }) => bag));
  // Whatever is wrong with the model is said before its labels are looked at.
  const { task } = buildModel({ ...spec.model, dIn }).config;
  assertDecides(task);
  assertRecipeFits(spec, task);
  for (const { label } of bags) assertLabel(task, label);
  const split = assignParts(bags, spec, task);
  assertPartsSuffice(spec, split);
  const groups = groupsOf(job, task, split);
  const fitted = fitTask(task, patientLabels(bags, groups.train));
  const model = buildModel({ ...spec.model, dIn, task: fitted });
  const dataDigest = digestOfData(job, split, groups);
  const refs = bags.map(({ bag }) => bag);
  const { onThinned } = deps;
  const inputs = await readBagInputs(deps.store, refs, model, { signal, ...(onThinned && { onThinned }) });
  // A file imported under two names gives two bags: their slides' names are part of them.
  const sources = inputs.map(({ metadata }, row) => metadata.sourceDigest ?? refs[row]?.digest ?? "");
  assertDistinctContent(patientsOf(bags), sources, split);
  const levelled = inputs.map(({ metadata }, row) => ({ digest: refs[row]?.digest ?? "", metadata }));
  if (spec.mixSurrogateLevels !== true) assertLevelsUnmixed(levelled, model);
  const source = commonSource(inputs, model);
  const start = job.startFrom && (await openStart(deps.store, job.startFrom, { model, source }, { signal }));
  const identities = inputs.map(({ metadata }, row) => identityOf(refs[row]!, metadata));
  const seen = seenOfTraining(split, identities, start?.seen);
  if (start !== undefined) assertTestUnseen(split.test, identities, start.seen);
  const decisive = [decisiveSpecJson(spec), dataDigest, ...(start ? [start.digest] : [])];
  const given = { job, split, groups, inputs, targets: targetsOf(job, model, split, groups) };
  const isJoined = spec.groups?.kind === "joined";
  return {
    ...(isJoined ? joinGroups(given, model, `train/${deps.name}/joined`) : given),
    spec,
    model,
    layout: flatLayout(model.parameters),
    optimiser: createOptimiser(spec.optimiser),
    source,
    dataDigest,
    ...(start && { start }),
    seen,
    scratchName: `train/${deps.name}/tiles`,
    jobDigest: sha256(JSON.stringify(decisive)),
  };
}

/** @throws {DomainError} `INVALID_ARGUMENT` for a task that labels say nothing of. */
function assertDecides({ kind }: Task): void {
  if (kind !== "embedding") return;
  const message = `task.kind is ${kind}; training on labels takes a task that decides something`;
  throw new DomainError("INVALID_ARGUMENT", message, { details: { field: "task.kind" } });
}

/** The width of bags. @throws {DomainError} `INVALID_ARGUMENT` without any; `GEOMETRY_MISMATCH` naming two that differ. */
export function commonWidth(refs: readonly BagRef[]): number {
  const [first] = refs;
  if (first === undefined)
    throw new DomainError("INVALID_ARGUMENT", "the job has 0 bags; it needs at least 1 to train");
  const other = refs.find((ref) => ref.d !== first.d);
  if (other === undefined) return first.d;
  const message = `bags have ${first.d} and ${other.d} features per tile; a model takes one width`;
  throw new DomainError("GEOMETRY_MISMATCH", message);
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

/** @throws {DomainError} `INVALID_ARGUMENT` for a rule that the task or the labels do not fit. */
function groupsOf({ bags, spec }: TrainJob, task: Task, split: Split): PartGroups {
  const of = (rows: readonly number[]) => groupBags(bags, rows, spec.groups);
  const groups = { train: of(split.train), validation: of(split.validation), test: of(split.test) };
  if (spec.groups !== undefined) {
    const labels = bags.map(({ label }) => label);
    assertGroupsFit(task, spec.groups, [...groups.train, ...groups.validation, ...groups.test], labels);
  }
  return groups;
}

/** The labels of groups, one per patient where groups of theirs have the same. */
function patientLabels(bags: TrainJob["bags"], groups: readonly BagGroup[]): Label[] {
  const patients = patientsOf(bags);
  const known = groups.flatMap(([row = -1]): [string, Label][] => {
    const label = bags[row]?.label;
    return label === undefined ? [] : [[JSON.stringify([patients[row], label]), label]];
  });
  return [...new Map(known).values()];
}

function targetsOf(job: TrainJob, model: Model, split: Split, groups: PartGroups): Float32Array<ArrayBuffer>[] {
  const { task } = model.config;
  const { labelSmoothing, classWeights: mode, groups: rule } = job.spec;
  const trained = new Set(split.train);
  const labels = job.bags.map(({ label }) => label);
  const groupLabels = groups.train.flatMap(([row]) => (row === undefined ? [] : labels.slice(row, row + 1)));
  const classWeights = fitClassWeights(task, groupLabels, mode);
  const plain = { labelSmoothing: 0, classWeights: fitClassWeights(task, labels, "none") };
  const targets = labels.map((label, row) =>
    encodeTarget(task, label, trained.has(row) ? { labelSmoothing, classWeights } : plain),
  );
  for (const group of groups.train) {
    if (!doAllLearn(rule, labelOfGroup(job.bags, group))) continue;
    for (const row of group) targets[row] = withShare(targets[row] ?? new Float32Array(), 1 / group.length);
  }
  return targets;
}

/** A target whose weights, its second row, are multiplied by `share`. */
function withShare(target: Float32Array, share: number): Float32Array<ArrayBuffer> {
  return Float32Array.from(target, (value, k) => (k < target.length / 2 ? value : value * share));
}

/** SHA-256 of what the training is made from: contents of the bags, labels, parts and, if they have a meaning, groups. */
function digestOfData({ bags, spec }: TrainJob, split: Split, groups: PartGroups): string {
  const contents = bags.map(({ bag, label }) => [bag.digest, label]);
  const parts = [contents, split.train, split.validation, split.test];
  return sha256(JSON.stringify(spec.groups === undefined ? parts : [...parts, groups]));
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
