import { DomainError } from "@parfocal/errors";
import { type SeenBags, seenPartOf } from "./package/seen-bags.ts";

/** Rows shown in an error at most. */
const MAX_ROWS = 10;

/**
 * Throws when bags of the test part were in a training on labels of the model that a training starts from.
 *
 * @param test rows of the test part.
 * @param identities by row, see `identityOf`.
 * @throws {DomainError} `LABEL_LEAKAGE` with their number, their rows and what to do.
 */
export function assertTestUnseen(
  test: readonly number[],
  identities: readonly (readonly string[])[],
  seen: SeenBags,
): void {
  const partOf = (row: number) => seenPartOf(seen, identities[row] ?? []);
  const trained = test.filter((row) => partOf(row) === "training");
  const validated = test.filter((row) => partOf(row) === "validation");
  const rows = [...trained, ...validated].toSorted((a, b) => a - b);
  if (rows.length === 0) return;
  const shown = `${rows.slice(0, MAX_ROWS).join(", ")}${rows.length > MAX_ROWS ? " and more" : ""}`;
  const message =
    `${rows.length} of ${test.length} test bags were in the training of the model to start from (${trained.length} trained, ` +
    `${validated.length} validated; rows ${shown}), which would make their figures no test; give bags their parts so that none of ` +
    "these tests, or split.testFraction 0";
  throw new DomainError("LABEL_LEAKAGE", message, {
    details: { field: "start_from", parts: "test", bags: `${rows.length}`, rows: shown },
  });
}
