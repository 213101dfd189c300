import type { commonV1 } from "@parfocal/protocol";

/** A case of survival: whose it is, how it went, and what was predicted. */
export interface SurvivalCase {
  readonly patient: string;
  readonly risk: number;
  readonly outcome: { readonly time: number; readonly event: boolean };
  /** The predicted curve; empty: there is none. */
  readonly steps: readonly commonV1.SurvivalPoint[];
}

/** A patient of some cases: one risk, one course. */
export interface PatientRisk extends Pick<SurvivalCase, "risk" | "outcome"> {
  /** The curves of the cases. */
  readonly curves: readonly SurvivalCase["steps"][];
}

/**
 * One case for each patient, by the mean risk of theirs, in the order in which patients come first: curves of survival and tests between
 * them take cases to be independent. A patient whose cases went differently has one for each course.
 */
export function risksOfPatients(cases: readonly SurvivalCase[]): PatientRisk[] {
  const keyOf = ({ patient, outcome }: SurvivalCase) => JSON.stringify([patient, outcome.time, outcome.event]);
  return [...Map.groupBy(cases, keyOf).values()].flatMap((own) => {
    const [first] = own;
    if (first === undefined) return [];
    const risk = own.reduce((sum, each) => sum + each.risk, 0) / own.length;
    return [{ risk, outcome: first.outcome, curves: own.map(({ steps }) => steps) }];
  });
}
