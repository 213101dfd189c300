import type { commonV1 } from "@parfocal/protocol";
import type { Certainty } from "@parfocal/training";

/** What is not ruled out, as the contract shows it; undefined for models without, and tasks without classes. */
export function predictionSetToWire({ calibrated }: Certainty): commonV1.PredictionSet | undefined {
  if (calibrated?.set === undefined) return undefined;
  const { set, coverage, isClassConditional } = calibrated;
  return {
    labels: [...set.classes],
    absentLabels: [...set.absent],
    coverage,
    isClassConditional,
    patientCount: set.nPatients,
  };
}

/** The interval around number k of a regression, as the contract shows it. */
export function intervalToWire(
  { calibrated }: Certainty,
  k: number,
): Pick<commonV1.TargetValue, "lower" | "upper" | "coverage"> {
  const [lower, upper] = calibrated?.intervals[k] ?? [];
  return { lower, upper, coverage: lower === undefined ? undefined : calibrated?.coverage };
}

/** How the bag compares with the training bags, as the contract shows it; undefined where it was not measured. */
export function typicalityToWire({ typicality }: Certainty): commonV1.Typicality | undefined {
  return typicality && { ...typicality };
}
