import { DomainError } from "@parfocal/errors";
import { aggregateV1, type commonV1, type gatewayV1 } from "@parfocal/protocol";
import { compareEvaluations } from "@parfocal/service-gateway/compare";
import type { ScoredRow } from "./score-rows.ts";

/** What the variants say of the slides of one repeat, by variant; each by models of folds that had not seen the patient. */
export type VariantRows = readonly (readonly ScoredRow[])[];

/**
 * Paired tests between variants on the predictions of one repeat. A slide is a case; patients are resampled whole.
 *
 * @throws {DomainError} `PRECONDITION_FAILED` when two variants were tested by other folds or on other slides: nothing is paired then.
 */
export function compareVariants(task: commonV1.Task, variants: VariantRows): gatewayV1.ModelComparison[] {
  const [first = [], ...others] = variants;
  const places = others.map((rows) => new Map(rows.map((row) => [slideKey(row), row])));
  const cases = first.map((row) => {
    const rows = [row, ...places.map((of) => of.get(slideKey(row)))];
    const predictions = rows.flatMap((each) =>
      each !== undefined && each.row.fold === row.row.fold ? (each.prediction ?? []) : [],
    );
    if (predictions.length < variants.length) throw unpaired();
    return { patient: row.assigned.patient, labelled: labelOf(row), predictions };
  });
  if (others.some(({ length }) => length !== first.length)) throw unpaired();
  return compareEvaluations(task, cases);
}

function unpaired(): DomainError {
  return new DomainError("PRECONDITION_FAILED", "the variants were not tested on the same slides by the same folds", {
    details: { precondition: "SAME_CASES" },
  });
}

/** The row of the labels, which is the same whether a variant reads the slide's regions or its tiles. */
function slideKey({ assigned: { row } }: ScoredRow): string {
  return `${row.line} ${row.slide}`;
}

function labelOf({ assigned: { row } }: ScoredRow): aggregateV1.LabelledBag {
  const { labels, unknownLabels, values = {}, survival } = row;
  return aggregateV1.LabelledBag.fromPartial({
    labels: [...labels],
    unknownLabels: [...unknownLabels],
    values: { ...values },
    ...(survival && { survival }),
  });
}
