import { commonV1 } from "@parfocal/protocol";
import type { Column, Row } from "@parfocal/tables";
import type { EnsemblePrediction } from "./ensemble.ts";
import { seenWord } from "./seen.ts";

type Prediction = Pick<commonV1.Prediction, "probabilities" | "decision" | "values" | "survival"> &
  Partial<Pick<commonV1.Prediction, "predictionSet" | "typicality" | "seen">>;

const text = (name: string): Column => ({ name, type: "text" });

/** What separates several decided classes, as in tables of labels. */
const SEPARATOR = ";";

/**
 * The columns that predictions of these tasks fill: `decision`, `probability_<class>`, `threshold_<class>` where a threshold
 * decides, `calibrated_<class>` (the probability at the fitted temperature), `prediction_set` (classes that may hold), multi-label `absent_set`
 * (classes that may not), `value_<name>` of regressions with `lower_<name>` and `upper_<name>`, the ends of the interval, `coverage` (the least share
 * of patients whose truth a set or an interval holds), `risk` and `survival` (JSON: time, survival and
 * hazard by interval) of survival tasks, and of every task `typicality_distance`, `typicality_percentile` and `is_unlike`, where these were measured, and
 * `seen`, the part of the model's training that had the slide: `training`, `validation` or `neither`, nothing where the model does not say;
 * not in batches that were planned before there was such a column.
 */
export function predictionColumns(
  tasks: readonly commonV1.Task[],
  { tellsSeen = false }: { readonly tellsSeen?: boolean } = { tellsSeen: true },
): Column[] {
  const of = (holds: (kind: commonV1.Task_Kind) => boolean) => [
    ...new Set(tasks.filter(({ kind }) => holds(kind)).flatMap(({ classes }) => classes)),
  ];
  const numbers = (prefix: string, names: readonly string[]): Column[] =>
    names.map((name) => ({ name: `${prefix}_${name}`, type: "number" }));
  const classes = of(hasClasses);
  const values = of((kind) => kind === KIND_REGRESSION);
  const hasSurvival = tasks.some(({ kind }) => kind === KIND_SURVIVAL || kind === KIND_COX);
  return [
    ...(classes.length > 0 ? [{ name: "decision", type: "text" } as const] : []),
    ...numbers("probability", classes),
    ...numbers("threshold", [...new Set(tasks.flatMap(thresholdClasses))]),
    ...numbers("calibrated", classes),
    ...(classes.length > 0 ? [text("prediction_set")] : []),
    ...(tasks.some(({ kind }) => kind === KIND_MULTILABEL) ? [text("absent_set")] : []),
    ...["value", "lower", "upper"].flatMap((prefix) => numbers(prefix, values)),
    ...(classes.length + values.length > 0 ? [{ name: "coverage", type: "number" } as const] : []),
    ...(hasSurvival
      ? ([
          { name: "risk", type: "number" },
          { name: "survival", type: "text" },
        ] as const)
      : []),
    { name: "typicality_distance", type: "number" },
    { name: "typicality_percentile", type: "number" },
    { name: "is_unlike", type: "boolean" },
    ...(tellsSeen ? [text("seen")] : []),
  ];
}

/** A prediction under {@link predictionColumns}. */
export function predictionCells(prediction: Prediction): Row {
  const { probabilities, decision, values, survival, predictionSet, typicality, seen } = prediction;
  return {
    ...(probabilities.length > 0 && { decision: decision.join(SEPARATOR) }),
    ...Object.fromEntries(probabilities.map((of) => [`probability_${of.label}`, of.probability])),
    ...Object.fromEntries(probabilities.map((of) => [`threshold_${of.label}`, of.threshold])),
    ...Object.fromEntries(probabilities.map((of) => [`calibrated_${of.label}`, of.calibrated])),
    ...(predictionSet && { prediction_set: predictionSet.labels.join(SEPARATOR) }),
    ...(predictionSet && { absent_set: predictionSet.absentLabels.join(SEPARATOR) }),
    ...(typicality && typicalityCells(typicality)),
    seen: seenWord(seen),
    ...Object.fromEntries(values.map((of) => [`value_${of.label}`, of.value])),
    ...Object.fromEntries(values.map((of) => [`lower_${of.label}`, of.lower])),
    ...Object.fromEntries(values.map((of) => [`upper_${of.label}`, of.upper])),
    coverage: predictionSet?.coverage ?? values.find((of) => of.coverage !== undefined)?.coverage,
    ...(survival && { risk: survival.risk }),
    ...(survival && survival.curve.length > 0 && { survival: JSON.stringify(survival.curve) }),
  };
}

/**
 * How far the models of an ensemble of this task differ: `spread_<class>`, `calibrated_spread_<class>`, `spread_<name>` of regressions and
 * `spread_risk` of survival tasks, each the standard deviation of the mean that stands under the name.
 */
export function spreadColumns({ kind, classes }: commonV1.Task): Column[] {
  const numbers = (prefix: string): Column[] => classes.map((name) => ({ name: `${prefix}_${name}`, type: "number" }));
  if (kind === KIND_REGRESSION) return numbers("spread");
  if (!hasClasses(kind)) return [{ name: "spread_risk", type: "number" }];
  return [...numbers("spread"), ...numbers("calibrated_spread")];
}

/** Spreads under {@link spreadColumns}. */
export function spreadCells({ prediction, spread }: EnsemblePrediction): Row {
  const named = (labels: readonly { readonly label: string }[], prefix: string, numbers: readonly number[]) =>
    Object.fromEntries(labels.map(({ label }, k) => [`${prefix}_${label}`, numbers[k]]));
  return {
    ...named(prediction.probabilities, "spread", spread.probabilities),
    ...named(prediction.probabilities, "calibrated_spread", spread.calibrated),
    ...named(prediction.values, "spread", spread.values),
    ...(spread.risk !== undefined && { spread_risk: spread.risk }),
  };
}

function typicalityCells({ distance, percentile, isUnlike }: commonV1.Typicality): Row {
  return { typicality_distance: distance, typicality_percentile: percentile, is_unlike: isUnlike };
}

const { KIND_BINARY, KIND_MULTILABEL, KIND_REGRESSION, KIND_SURVIVAL, KIND_COX } = commonV1.Task_Kind;

function hasClasses(kind: commonV1.Task_Kind): boolean {
  return kind !== KIND_REGRESSION && kind !== KIND_SURVIVAL && kind !== KIND_COX;
}

function thresholdClasses({ kind, classes }: commonV1.Task): readonly string[] {
  if (kind === KIND_BINARY) return classes.slice(1);
  return kind === KIND_MULTILABEL ? classes : [];
}
