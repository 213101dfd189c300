/**
 * @file The messages of the stage in the domain's types and back; `spec-from-wire.ts` and `evaluation-to-wire.ts` are its
 * larger parts.
 */
import type { Task } from "@parfocal/models";
import { type aggregateV1, commonV1 } from "@parfocal/protocol";
import { bagRefFromWire, invalidField, type StoreRoot } from "@parfocal/stage";
import type { BagPrediction, EpochReport, Label, LabelledBag, Part } from "@parfocal/training";

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
    if (index < 0) throw invalidField(`${field}.labels`, `has a name that is none of the ${classes.length} classes`);
    return index;
  };
  const held = labelled.labels.map(indexOf);
  const [only] = held;
  if (kind === "multilabel") {
    const unknown = new Set(labelled.unknownLabels.map(indexOf));
    return classes.map((_, k) => (unknown.has(k) ? null : Number(held.includes(k))));
  }
  if (held.length !== 1 || only === undefined)
    throw invalidField(`${field}.labels`, `has ${held.length} names; a ${kind} task takes one`);
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
    values: [],
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
    scoreName: "",
  };
}
