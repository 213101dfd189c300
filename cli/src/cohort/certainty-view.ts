import type { commonV1 } from "@parfocal/protocol";

/** How far a prediction may be trusted, as programs are shown it; what the model's package does not say is absent. */
export interface CertaintyView {
  /** Probabilities at the temperature of the validation part, by class. */
  readonly calibrated?: Readonly<Record<string, number>>;
  /** Classes that are not ruled out. */
  readonly set?: readonly string[];
  /** Multi-label: classes whose absence is not ruled out. */
  readonly absent?: readonly string[];
  /** Regression: ends of the interval, by number. */
  readonly intervals?: Readonly<Record<string, readonly [number, number]>>;
  /** Least share of patients whose truth a set or interval holds. */
  readonly coverage?: number;
  /** How the slide compares with those of the training part. */
  readonly typicality?: {
    readonly distance: number;
    readonly percentile: number;
    readonly unlike: boolean;
    readonly reason?: string;
  };
}

/** What a prediction of the contract says of its certainty. */
export function viewCertainty(prediction: commonV1.Prediction): CertaintyView {
  const { probabilities, values, predictionSet, typicality } = prediction;
  const calibrated = probabilities.flatMap((each): [string, number][] =>
    each.calibrated === undefined ? [] : [[each.label, each.calibrated]],
  );
  const intervals = values.flatMap(({ label, lower, upper }): [string, readonly [number, number]][] =>
    lower === undefined || upper === undefined ? [] : [[label, [lower, upper]]],
  );
  const coverage = predictionSet?.coverage ?? values.find((each) => each.coverage !== undefined)?.coverage;
  return {
    ...(calibrated.length > 0 && { calibrated: Object.fromEntries(calibrated) }),
    ...(predictionSet && { set: predictionSet.labels }),
    ...(predictionSet && predictionSet.absentLabels.length > 0 && { absent: predictionSet.absentLabels }),
    ...(intervals.length > 0 && { intervals: Object.fromEntries(intervals) }),
    ...(coverage !== undefined && { coverage }),
    ...(typicality && { typicality: viewTypicality(typicality) }),
  };
}

function viewTypicality({ distance, percentile, isUnlike, reason }: commonV1.Typicality) {
  return { distance, percentile, unlike: isUnlike, ...(reason !== "" && { reason }) };
}
