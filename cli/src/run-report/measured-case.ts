import type { CensoringCurve } from "@parfocal/metrics";
import type { EvaluatedSlide } from "../cohort/evaluate-predictions.ts";
import type { PredictionRow } from "../report/index.ts";

/** A case with its truth and what was said of it, of any task. */
export interface MeasuredCase extends EvaluatedSlide {
  readonly row: PredictionRow;
}

/** Where risks are cut into two groups. */
export interface RiskCut {
  readonly value: number;
  /** As the end of the sentence "Risks were cut at …". */
  readonly name: string;
}

/** Settings of `measureScored`. */
export interface MeasureOptions {
  /** Drives the bootstrap. */
  readonly seed: bigint;
  /** Survival: where risks are cut; absent: at the median of these cases. */
  readonly cut?: RiskCut;
  /** Survival: of the training cases; absent: that of these cases. */
  readonly censoring?: CensoringCurve;
}
