import type { gatewayV1 } from "@parfocal/protocol";
import { UsageError } from "../exit-codes.ts";
import type { LabelRow } from "./parse-labels.ts";

/** Which bags are decided together: all that are named, those of each patient, or none. */
export type Together = "all" | "patient" | "none";

/** What is decided once: a bag, or a patient's bags in their order. */
export type DecidedUnit = readonly [gatewayV1.Bag, ...gatewayV1.Bag[]];

type Truths = ReadonlyMap<string, LabelRow>;

/**
 * Bags as units, in the order of their first bags. A patient is whom the labels name, else whom the bag names; a bag without is a unit by
 * itself. With groups in the labels, those of a patient are units of their own.
 *
 * @throws {UsageError} when bags of a unit have different labels.
 */
export function decidedUnits(bags: readonly gatewayV1.Bag[], together: Together, truths: Truths): DecidedUnit[] {
  const keyOf = (bag: gatewayV1.Bag): string => {
    if (together === "all") return "";
    return together === "none" ? bag.name : patientKey(bag, truths.get(bag.name));
  };
  const units = [...Map.groupBy(bags, keyOf).values()].flatMap(([first, ...more]): DecidedUnit[] =>
    first === undefined ? [] : [[first, ...more]],
  );
  for (const unit of units) assertOneTruth(unit, truths);
  return units;
}

function patientKey({ name, info }: gatewayV1.Bag, row: LabelRow | undefined): string {
  const patient = row?.patient ?? (info?.patientId || undefined);
  return patient === undefined ? name : JSON.stringify([patient, row?.group ?? null]);
}

function assertOneTruth(unit: DecidedUnit, truths: Truths): void {
  const shown = unit.flatMap(({ name }) => {
    const row = truths.get(name);
    return row === undefined ? [] : [JSON.stringify([row.labels, row.unknownLabels, row.values, row.survival])];
  });
  const nTruths = new Set(shown).size;
  if (nTruths > 1)
    throw new UsageError(
      `${unit.length} slides that are decided together have ${nTruths} different labels; they have one`,
    );
}
