import { DomainError } from "@parfocal/errors";
import type { aggregateV1, commonV1 } from "@parfocal/protocol";

/** What a comparison counts once: the truth of a bag or group, and what each version says of it. */
export interface ComparedCase {
  /** Whose it is; opaque. */
  readonly patient: string;
  /** A bag of it, for its label. */
  readonly labelled: aggregateV1.LabelledBag;
  /** By version, in the order of the request. */
  readonly predictions: readonly commonV1.Prediction[];
}

/**
 * The cases that all versions were evaluated on.
 *
 * @throws {DomainError} `PRECONDITION_FAILED` when they do not count the same: one decides slides, another groups of slides.
 */
export function comparedCases(
  bags: readonly aggregateV1.LabelledBag[],
  evaluations: readonly aggregateV1.EvaluateResponse[],
): ComparedCase[] {
  const [first] = evaluations;
  const members = (evaluation: aggregateV1.EvaluateResponse) => evaluation.cases.map((each) => each.bags.join(","));
  const expected = first === undefined ? [] : members(first);
  for (const evaluation of evaluations) {
    const found = members(evaluation);
    if (found.length === expected.length && found.every((each, i) => each === expected[i])) continue;
    const message = `one version decides ${expected.length} cases, another ${found.length} or of other slides; paired tests need the same`;
    throw new DomainError("PRECONDITION_FAILED", message, { details: { field: "names", precondition: "SAME_CASES" } });
  }
  return (first?.cases ?? []).flatMap(({ bags: places }, i) => {
    const [place = -1] = places;
    const labelled = bags[place];
    if (labelled === undefined) return [];
    const predictions = evaluations.flatMap(({ cases }) => cases[i]?.prediction ?? []);
    return [{ patient: patientOf(labelled, i), labelled, predictions }];
  });
}

/** Groups without a patient are patients of their own, and so are bags. */
function patientOf({ patientKey, groupKey }: aggregateV1.LabelledBag, place: number): string {
  if (patientKey !== "") return patientKey;
  return groupKey === "" ? `\u0000${place}` : `\u0000group ${groupKey}`;
}
