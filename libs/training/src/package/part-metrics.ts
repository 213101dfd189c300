import type { MetricTable } from "@parfocal/metrics";
import type { CensoringSource, PartReport } from "../job.ts";

/** Figures of one part, with 95 % intervals, without curves. */
export interface PartMetrics {
  readonly nCases: number;
  readonly nPatients: number;
  readonly metrics: MetricTable;
  readonly classes: readonly {
    readonly name: string;
    readonly nPositives: number;
    readonly nNegatives: number;
    readonly metrics: MetricTable;
  }[];
  /** Row = truth, column = decision; null for multi-label. */
  readonly confusion: readonly (readonly number[])[] | null;
  /** Regression: by number, over the cases that know it. */
  readonly targets?: readonly { readonly name: string; readonly nCases: number; readonly metrics: MetricTable }[];
  /** Survival and Cox. */
  readonly nEvents?: number;
  /** Survival and Cox: whose censoring weighs; absent in packages of before it was told. */
  readonly censoring?: CensoringSource;
  /** Present when the cases are groups of bags, decided by the rule for groups. */
  readonly groups?: {
    readonly nBags: number;
    /** Of `min-loss`, where the most positive bag speaks: by the mean of a group's probabilities instead, overall. */
    readonly metricsOfMeans?: MetricTable;
  };
}

/** The figures of a report that a manifest keeps. */
export function partMetricsFromReport(report: PartReport): PartMetrics {
  const { groups, targets, nEvents, censoring } = report;
  return {
    nCases: report.nCases,
    nPatients: report.nPatients,
    metrics: report.metrics,
    classes: report.classes.map(({ name, nPositives, nNegatives, metrics }) => ({
      name,
      nPositives,
      nNegatives,
      metrics,
    })),
    confusion: report.confusion,
    ...(targets && { targets }),
    ...(nEvents !== undefined && { nEvents }),
    ...(censoring && { censoring }),
    ...(groups && {
      groups: { nBags: groups.nBags, ...(groups.ofMeans && { metricsOfMeans: groups.ofMeans.metrics }) },
    }),
  };
}
