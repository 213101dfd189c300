/**
 * @file The messages of the stage in the domain's types and back; `spec-from-wire.ts` and `evaluation-to-wire.ts` are its
 * larger parts.
 */
import { hasClasses, type Task } from "@parfocal/models";
import { type aggregateV1, commonV1 } from "@parfocal/protocol";
import { bagRefFromWire, invalidField, type StoreRoot } from "@parfocal/stage";
import {
  type BagPrediction,
  type BaselineHazard,
  type Certainty,
  type EpochReport,
  type EventTime,
  groupRuleOf,
  type Label,
  type LabelledBag,
  type LoadedModel,
  type Part,
  riskFromLogits,
  survivalCurve,
} from "@parfocal/training";
import { intervalToWire, predictionSetToWire, typicalityToWire } from "./certainty-to-wire.ts";
import { seenToWire } from "./seen-to-wire.ts";

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

/** What is known of a bag. @throws {DomainError} `INVALID_ARGUMENT` naming the field; the label's own value is not repeated. */
export function labelFromWire(
  task: Pick<Task, "kind" | "classes">,
  labelled: aggregateV1.LabelledBag,
  field: string,
): Label {
  if (task.kind === "regression") return numbersFromWire(task.classes, labelled.values, field);
  if (task.kind === "survival" || task.kind === "cox") return eventFromWire(task.kind, labelled.survival, field);
  return classesFromWire(task, labelled, field);
}

function numbersFromWire(
  names: readonly string[],
  values: aggregateV1.LabelledBag["values"],
  field: string,
): (number | null)[] {
  if (Object.keys(values).some((name) => !names.includes(name)))
    throw invalidField(`${field}.values`, `has a name that is none of the ${names.length} numbers of the task`);
  return names.map((name) => (Object.hasOwn(values, name) ? values[name]! : null));
}

function eventFromWire(kind: Task["kind"], survival: commonV1.SurvivalTime | undefined, field: string): EventTime {
  if (survival === undefined)
    throw invalidField(`${field}.survival`, `is missing; a ${kind} task takes time and event`);
  return { time: survival.time, isEvent: survival.event };
}

function classesFromWire(
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
  { model, manifest }: Pick<LoadedModel, "model" | "manifest">,
  prediction: Pick<BagPrediction, "logits" | "answer" | "decision" | "thresholds" | "seen" | "engineMs"> & Certainty,
): commonV1.Prediction {
  const { task } = model.config;
  const { answer, decision, thresholds, engineMs } = prediction;
  // A binary task has one threshold: the positive class's.
  const first = task.kind === "binary" ? 1 : 0;
  const probabilities = task.classes.map((label, k) => ({
    label,
    probability: answer[k] ?? 0,
    threshold: thresholds[k - first],
    calibrated: prediction.calibrated?.probabilities[k] ?? undefined,
  }));
  const values = task.classes.map((label, k) => ({ label, value: answer[k] ?? 0, ...intervalToWire(prediction, k) }));
  return {
    probabilities: hasClasses(task) ? probabilities : [],
    decision: [...decision],
    engineMs,
    values: task.kind === "regression" ? values : [],
    survival: survivalToWire(task, prediction, manifest.survival?.baseline),
    predictionSet: predictionSetToWire(prediction),
    typicality: typicalityToWire(prediction),
    seen: seenToWire(prediction.seen),
  };
}

/** When the event comes; undefined in tasks without events. */
function survivalToWire(
  task: Task,
  { logits, answer }: Pick<BagPrediction, "logits" | "answer">,
  baseline: BaselineHazard | undefined,
): commonV1.SurvivalPrediction | undefined {
  if (task.kind !== "survival" && task.kind !== "cox") return undefined;
  const risk = riskFromLogits(task, logits);
  if (task.kind === "cox") return { risk, curve: baseline ? survivalCurve(baseline, risk) : [] };
  const curve = task.edges.slice(1).map((time, k) => ({
    time,
    survival: answer[k] ?? 0,
    hazard: 1 / (1 + Math.exp(-(logits[k] ?? 0))),
  }));
  return { risk, curve };
}

const { KIND_JOINED, KIND_MAX, KIND_MEAN, KIND_MIN_LOSS, KIND_UNSPECIFIED } = commonV1.GroupRule_Kind;
const RULES = { joined: KIND_JOINED, max: KIND_MAX, mean: KIND_MEAN, "min-loss": KIND_MIN_LOSS } as const;

/** The rule by which a model decides several slides together; unspecified without a model, and for one that has none. */
export function groupRuleToWire(loaded: Pick<LoadedModel, "manifest"> | undefined): commonV1.GroupRule_Kind {
  const rule = loaded && groupRuleOf(loaded.manifest.spec);
  return rule === undefined ? KIND_UNSPECIFIED : RULES[rule.kind];
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
    validationScore: report.validationScore?.value ?? undefined,
    scoreName: report.validationScore?.name ?? "",
  };
}
