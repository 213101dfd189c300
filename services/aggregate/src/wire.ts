/**
 * @file The messages of the stage in the domain's types and back; `spec-from-wire.ts` and `evaluation-to-wire.ts` are its
 * larger parts.
 */
import type { BagRef } from "@parfocal/bags";
import { DomainError } from "@parfocal/errors";
import type { Task } from "@parfocal/models";
import { type aggregateV1, commonV1 } from "@parfocal/protocol";
import { keyFromUri, type ObjectStore, uriFromKey } from "@parfocal/store";
import type { BagPrediction, EpochReport, Label, LabelledBag, Part, PublishedModel } from "@parfocal/training";

type StoreRoot = Pick<ObjectStore, "rootUri">;

const SHA256 = /^[0-9a-f]{64}$/;

function invalid(field: string, message: string): DomainError {
  return new DomainError("INVALID_ARGUMENT", `${field} ${message}`, { details: { field } });
}

/** Key and digest of an object in this stage's store. @throws {DomainError} `INVALID_ARGUMENT`, `FORBIDDEN`. */
export function objectFromWire(store: StoreRoot, object: commonV1.ObjectReference | undefined, field: string) {
  if (object === undefined) throw invalid(field, "is missing");
  if (!SHA256.test(object.sha256))
    throw invalid(`${field}.sha256`, `has ${object.sha256.length} characters, not 64 hex digits`);
  return { key: keyFromUri(store, object.uri), digest: object.sha256, sizeBytes: Number(object.sizeBytes) };
}

/** A bag by reference. @throws {DomainError} `INVALID_ARGUMENT` naming the field, `FORBIDDEN` outside the store. */
export function bagRefFromWire(store: StoreRoot, bag: commonV1.BagReference | undefined, field = "bag"): BagRef {
  if (bag === undefined) throw invalid(field, "is missing");
  const { key, digest, sizeBytes } = objectFromWire(store, bag.object, `${field}.object`);
  const { DATA_TYPE_F16, DATA_TYPE_F32 } = commonV1.DataType;
  if (bag.dtype !== DATA_TYPE_F16 && bag.dtype !== DATA_TYPE_F32)
    throw invalid(`${field}.dtype`, "is neither F16 nor F32");
  const dtype = bag.dtype === DATA_TYPE_F16 ? "F16" : "F32";
  return { key, digest, sizeBytes, n: bag.tileCount, d: bag.featureDim, dtype, hasCoords: bag.hasCoordinates };
}

/** Folder and digest of a model package. @throws {DomainError} `INVALID_ARGUMENT`, `FORBIDDEN`. */
export function packageFromWire(store: StoreRoot, model: commonV1.ModelReference | undefined, field = "model") {
  const { key, digest } = objectFromWire(store, model?.manifest, `${field}.manifest`);
  if (!key.endsWith("/manifest.json")) throw invalid(`${field}.manifest.uri`, "is not that of a manifest.json");
  return { folder: key.slice(0, -"/manifest.json".length), digest };
}

/** Key of a folder named by URI, without a trailing slash. @throws {DomainError} `FORBIDDEN` outside the store. */
export function folderFromWire(store: StoreRoot, uri: string): string {
  return keyFromUri(store, uri.replace(/\/+$/, ""));
}

/** A labelled bag. @throws {DomainError} `INVALID_ARGUMENT` naming index and field; a label's own value is not repeated. */
export function labelledBagFromWire(
  store: StoreRoot,
  task: Pick<Task, "kind" | "classes">,
  labelled: aggregateV1.LabelledBag,
  index: number,
): LabelledBag {
  const field = `bags[${index}]`;
  const part = partFromWire(labelled.part);
  return {
    bag: bagRefFromWire(store, labelled.bag, `${field}.bag`),
    label: labelFromWire(task, labelled, field),
    ...(labelled.patientKey === "" ? {} : { patient: labelled.patientKey }),
    ...(labelled.groupKey === "" ? {} : { group: labelled.groupKey }),
    ...(part === undefined ? {} : { part }),
  };
}

function labelFromWire(
  { kind, classes }: Pick<Task, "kind" | "classes">,
  labelled: aggregateV1.LabelledBag,
  field: string,
): Label {
  const indexOf = (name: string): number => {
    const index = classes.indexOf(name);
    if (index < 0) throw invalid(`${field}.labels`, `has a name that is none of the ${classes.length} classes`);
    return index;
  };
  const held = labelled.labels.map(indexOf);
  const [only] = held;
  if (kind === "multilabel") {
    const unknown = new Set(labelled.unknownLabels.map(indexOf));
    return classes.map((_, k) => (unknown.has(k) ? null : Number(held.includes(k))));
  }
  if (held.length !== 1 || only === undefined)
    throw invalid(`${field}.labels`, `has ${held.length} names; a ${kind} task takes one`);
  return only;
}

function partFromWire(part: commonV1.Part): Part | undefined {
  switch (part) {
    case commonV1.Part.PART_TRAIN:
      return "train";
    case commonV1.Part.PART_VALIDATION:
      return "validation";
    case commonV1.Part.PART_TEST:
      return "test";
    default:
      return undefined;
  }
}

/** What the model says, as the contract shows it. */
export function predictionToWire(
  task: Task,
  prediction: Pick<BagPrediction, "probabilities" | "decision" | "thresholds" | "engineMs">,
): commonV1.Prediction {
  const { probabilities, decision, thresholds, engineMs } = prediction;
  // A binary task has one threshold: the positive class's.
  const first = task.kind === "binary" ? 1 : 0;
  return {
    probabilities: task.classes.map((label, k) => ({
      label,
      probability: probabilities[k] ?? 0,
      threshold: task.kind === "multiclass" ? undefined : thresholds[k - first],
    })),
    decision: [...decision],
    engineMs,
  };
}

/** A task, as the contract shows it. */
export function taskToWire({ kind, classes }: Pick<Task, "kind" | "classes">): commonV1.Task {
  const { KIND_BINARY, KIND_MULTICLASS, KIND_MULTILABEL, KIND_UNSPECIFIED } = commonV1.Task_Kind;
  const kinds = {
    ...{ binary: KIND_BINARY, multiclass: KIND_MULTICLASS, multilabel: KIND_MULTILABEL },
    // A model that only re-embeds decides nothing.
    embedding: KIND_UNSPECIFIED,
  };
  return { kind: kinds[kind], classes: [...classes] };
}

/** An epoch, as the contract shows it. */
export function epochToWire(
  report: EpochReport & { readonly etaS?: number; readonly bagsPerS?: number },
): commonV1.EpochReport {
  return {
    epoch: report.epoch,
    epochCount: report.nEpochs,
    trainLoss: report.trainLoss,
    validationLoss: report.validationLoss ?? undefined,
    validationAuroc: report.validationAuroc ?? undefined,
    learningRate: report.learningRate,
    etaS: report.etaS ?? 0,
    bagsPerS: report.bagsPerS ?? 0,
  };
}

/** The reference under which a published package is served. */
export function modelReferenceOf(
  store: StoreRoot,
  published: Pick<PublishedModel, "manifestKey" | "digest">,
  sizeBytes: number,
): commonV1.ModelReference {
  const { manifestKey, digest } = published;
  return { manifest: { uri: uriFromKey(store, manifestKey), sha256: digest, sizeBytes: BigInt(sizeBytes) } };
}
