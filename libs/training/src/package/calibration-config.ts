import type { ConformalScore } from "@parfocal/metrics";
import { type ConfigObject, createConfigReader } from "@parfocal/models";

/** How sets and intervals are made that are published with a model. */
export interface CalibrationConfig {
  /** Share of patients whose truth a set or interval holds. */
  readonly coverage: number;
  readonly score: ConformalScore;
  /** Whether the coverage is to hold for the patients of each class. */
  readonly isClassConditional: boolean;
}

/** What happens to bags whose features are unlike those of the training part. */
export interface OutlierConfig {
  /** `none`: nothing is measured. */
  readonly action: "flag" | "refuse" | "none";
  /** Share of training bags that must be nearer, percent. */
  readonly percentile: number;
}

/**
 * Reads `coverage` (default 0.9), `score` (`lac`) and `isClassConditional` (false).
 *
 * @throws {DomainError} `INVALID_ARGUMENT` naming field, value and bound: coverage is 0.5 to 0.999.
 */
export function parseCalibration(json: ConfigObject): CalibrationConfig {
  const reader = createConfigReader(json, "calibration");
  const config: CalibrationConfig = {
    coverage: reader.number("coverage", { min: 0.5, max: 0.999, fallback: 0.9 }),
    score: reader.choice("score", ["lac", "aps"], "lac"),
    isClassConditional: reader.boolean("isClassConditional", false),
  };
  reader.assertNoOthers();
  return config;
}

/**
 * Reads `action` (default `flag`) and `percentile` (99).
 *
 * @throws {DomainError} `INVALID_ARGUMENT` naming field, value and bound: the percentile is 50 to 100.
 */
export function parseOutliers(json: ConfigObject): OutlierConfig {
  const reader = createConfigReader(json, "outliers");
  const config: OutlierConfig = {
    action: reader.choice("action", ["flag", "refuse", "none"], "flag"),
    percentile: reader.number("percentile", { min: 50, max: 100, fallback: 99 }),
  };
  reader.assertNoOthers();
  return config;
}
