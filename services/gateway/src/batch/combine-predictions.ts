import { type DecidingKind, decideClasses } from "@parfocal/metrics";
import { commonV1 } from "@parfocal/protocol";
import { worstSeen } from "./seen.ts";

/** What of a prediction survives being combined. */
export type CombinedPrediction = Pick<commonV1.Prediction, "probabilities" | "decision" | "values" | "survival"> &
  Partial<Pick<commonV1.Prediction, "typicality" | "seen">>;

/** How the slides of a patient are combined. */
export type PatientRule = "mean" | "max";

const { KIND_BINARY, KIND_MULTICLASS, KIND_MULTILABEL, KIND_ORDINAL } = commonV1.Task_Kind;

const DECIDING_KINDS: Partial<Record<commonV1.Task_Kind, DecidingKind>> = {
  [KIND_BINARY]: "binary",
  [KIND_MULTICLASS]: "multiclass",
  [KIND_MULTILABEL]: "multilabel",
  [KIND_ORDINAL]: "ordinal",
};

/**
 * What a model says of a patient by what it says of the patient's slides, one or more. Mean: of probabilities, numbers, risks and
 * survivals. Max: binary by the largest positive probability; multi-label by the largest of each class; multi-class and ordinal
 * likewise, divided by their sum; numbers and risks by the largest. Decided as slides are, by the model's own thresholds. Temperature,
 * sets and intervals were fitted on what the model says of one slide and promise nothing of several: there are none. How unusual the patient is,
 * is how unusual the most unusual slide is; what training had of the patient, what it had of any slide.
 */
export function combinePredictions(
  kind: commonV1.Task_Kind,
  slides: readonly CombinedPrediction[],
  rule: PatientRule,
): CombinedPrediction {
  const [first] = slides;
  if (first === undefined || slides.length === 1) return first ?? NOTHING;
  const combine = (pick: (slide: CombinedPrediction) => number) => combined(slides.map(pick), rule);
  const raw = first.probabilities.map((_, k) => combine((slide) => slide.probabilities[k]?.probability ?? 0));
  const shares = rule === "max" ? sharesOf(kind, raw) : raw;
  const probabilities = first.probabilities.map((of, k) => ({
    ...of,
    probability: shares[k] ?? 0,
    calibrated: undefined,
  }));
  return {
    probabilities,
    decision: decideByThresholds(kind, probabilities),
    values: first.values.map(({ label }, k) => ({ label, value: combine((slide) => slide.values[k]?.value ?? 0) })),
    survival: first.survival && combineSurvival(slides, rule),
    typicality: mostUnusual(slides),
    seen: worstSeen(slides),
  };
}

const NOTHING: CombinedPrediction = { probabilities: [], decision: [], values: [], survival: undefined };

function combined(values: readonly number[], rule: PatientRule): number {
  if (rule === "max") return Math.max(...values);
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** The largest probabilities of classes that exclude each other, as probabilities again. */
function sharesOf(kind: commonV1.Task_Kind, largest: readonly number[]): readonly number[] {
  if (kind === KIND_MULTILABEL) return largest;
  const positive = largest[1] ?? 0;
  if (kind === KIND_BINARY) return [1 - positive, positive];
  const sum = largest.reduce((total, value) => total + value, 0);
  return largest.map((value) => value / sum);
}

/** Curves by their mean; by the largest rule the curve of the slide whose risk is the largest, as it belongs to that risk. */
function combineSurvival(
  slides: readonly CombinedPrediction[],
  rule: PatientRule,
): commonV1.SurvivalPrediction | undefined {
  const all = slides.flatMap(({ survival }) => (survival === undefined ? [] : [survival]));
  const [first] = all;
  if (first === undefined) return undefined;
  if (rule === "max") return all.reduce((most, each) => (each.risk > most.risk ? each : most));
  let before = 1;
  const curve = first.curve.map(({ time }, k) => {
    const survival = combined(
      all.map((each) => each.curve[k]?.survival ?? 0),
      rule,
    );
    const hazard = before === 0 ? 1 : 1 - survival / before;
    before = survival;
    return { time, survival, hazard };
  });
  return {
    risk: combined(
      all.map(({ risk }) => risk),
      rule,
    ),
    curve,
  };
}

/** The typicality of the most unusual of several, those that are flagged first; undefined where none was measured. */
export function mostUnusual(
  predictions: readonly Pick<CombinedPrediction, "typicality">[],
): commonV1.Typicality | undefined {
  const measured = predictions.flatMap(({ typicality }) => typicality ?? []);
  return measured.toSorted((a, b) => Number(b.isUnlike) - Number(a.isUnlike) || b.percentile - a.percentile)[0];
}

/** The decided classes, by the thresholds that came with the probabilities; none of a task without classes. */
export function decideByThresholds(kind: commonV1.Task_Kind, classes: readonly commonV1.ClassProbability[]): string[] {
  const decides = DECIDING_KINDS[kind];
  if (decides === undefined || classes.length === 0) return [];
  // The one of a binary task is that of its positive class.
  const thresholds = (kind === KIND_BINARY ? classes.slice(1) : classes).map(({ threshold }) => threshold);
  const probabilities = classes.map(({ probability }) => probability);
  return decideClasses(decides, probabilities, thresholds).flatMap((k) => classes[k]?.label ?? []);
}
