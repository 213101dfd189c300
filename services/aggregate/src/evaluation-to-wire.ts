import type { Estimate, MetricTable } from "@parfocal/metrics";
import { commonV1 } from "@parfocal/protocol";
import type { PartMetrics } from "@parfocal/training";

/**
 * Figures as the contract shows them: overall ones first, then those of each class or number. Where the cases are groups of bags, those
 * of the groups' means follow as `mean_<name>`.
 */
export function evaluationFromMetrics(report: PartMetrics): commonV1.Evaluation {
  const perClass = report.classes.flatMap(({ name, metrics }) => metricsFromTable(metrics, name));
  const { groups, targets } = report;
  const means = groups?.metricsOfMeans === undefined ? [] : metricsFromTable(groups.metricsOfMeans, "");
  const byNumber = (targets ?? []).flatMap(({ name, metrics }) => metricsFromTable(metrics, name));
  const ofMeans = means.map((metric) => ({ ...metric, name: `mean_${metric.name}` }));
  return {
    metrics: [...metricsFromTable(report.metrics, ""), ...perClass, ...byNumber, ...ofMeans],
    slideCount: groups?.nBags ?? report.nCases,
    patientCount: report.nPatients,
    confusion: report.confusion?.flat() ?? [],
    censoring: CENSORING[report.censoring ?? "untold"],
    seen: undefined,
  };
}

const { CENSORING_EVALUATED, CENSORING_TRAINING, CENSORING_UNSPECIFIED } = commonV1.Evaluation_Censoring;
const CENSORING = {
  training: CENSORING_TRAINING,
  evaluated: CENSORING_EVALUATED,
  untold: CENSORING_UNSPECIFIED,
} as const;

function metricsFromTable(table: MetricTable, label: string): commonV1.Metric[] {
  return Object.entries(table).map(([name, estimate]: [string, Estimate]) => ({
    name: name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
    value: estimate.value ?? undefined,
    lower: estimate.interval?.low,
    upper: estimate.interval?.high,
    label,
  }));
}
