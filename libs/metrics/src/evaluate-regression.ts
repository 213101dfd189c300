import { DomainError } from "@parfocal/errors";
import { bootstrapIntervals } from "./bootstrap.ts";
import { tableOf } from "./evaluate-binary.ts";
import type { EvaluationOptions, EvaluationReport, MetricTable } from "./evaluation-types.ts";
import { assertRows } from "./one-vs-rest.ts";
import { regressionStatistics } from "./regression-metrics.ts";

/** Predicted numbers beside the true ones. */
export interface RegressionCases {
  /** Names of the K numbers. */
  readonly names: readonly string[];
  /** `[N]`. Never printed. */
  readonly patients: readonly string[];
  /** `[N][K]`; null where a number is not known. */
  readonly targets: readonly (readonly (number | null)[])[];
  /** `[N][K]`, in the targets' units. */
  readonly predicted: readonly (readonly number[])[];
}

/** Figures by number, with 95 % intervals. */
export interface RegressionReport {
  readonly nCases: number;
  readonly nPatients: number;
  readonly targets: readonly {
    readonly name: string;
    /** Cases whose number is known. */
    readonly nCases: number;
    /** `mae`, `rmse`, `r2`, `pearson`, `spearman`. */
    readonly metrics: MetricTable;
  }[];
  readonly bootstrap: EvaluationReport["bootstrap"];
}

/**
 * Errors and correlations of each number over the cases that know it, intervals by patient bootstrap.
 *
 * @throws {DomainError} `SHAPE_MISMATCH` or `NON_FINITE` for bad input; `PRECONDITION_FAILED` when no number is known.
 */
export function evaluateRegression(
  cases: RegressionCases,
  options: Pick<EvaluationOptions, "rng" | "nResamples">,
): RegressionReport {
  const { names, patients, targets, predicted } = cases;
  assertRows(predicted, targets.length, names.length);
  const nKnown = targets.flat().filter((target) => target !== null).length;
  if (nKnown === 0) {
    throw new DomainError(
      "PRECONDITION_FAILED",
      `none of ${targets.length} cases has a known number; at least 1 is needed`,
    );
  }
  const reports = names.map((name, k) => ({ name, ...evaluateTarget(cases, k, options) }));
  return {
    nCases: targets.length,
    nPatients: new Set(patients).size,
    targets: reports.map(({ name, nCases, metrics }) => ({ name, nCases, metrics })),
    bootstrap: {
      nResamples: reports[0]?.nResamples ?? 0,
      nRedraws: reports.reduce((sum, { nRedraws }) => sum + nRedraws, 0),
    },
  };
}

function evaluateTarget(
  { patients, targets, predicted }: RegressionCases,
  k: number,
  { rng, nResamples }: Pick<EvaluationOptions, "rng" | "nResamples">,
) {
  const known = targets.flatMap((row, i) => {
    const target = row[k];
    return target === null || target === undefined ? [] : [{ i, target }];
  });
  const statistics = regressionStatistics(
    known.map(({ target }) => target),
    known.map(({ i }) => predicted[i]?.[k] ?? Number.NaN),
  );
  const bootstrap = bootstrapIntervals({
    patients: known.map(({ i }) => patients[i] ?? ""),
    statistics: (weights) => ({ ...statistics(weights) }),
    rng,
    ...(nResamples === undefined ? {} : { nResamples }),
  });
  const point = statistics(new Float64Array(known.length).fill(1));
  const metrics = tableOf({ ...point }, (name) => bootstrap.intervals[name]);
  return { nCases: known.length, metrics, nResamples: bootstrap.nResamples, nRedraws: bootstrap.nRedraws };
}
