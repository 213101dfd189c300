import { DomainError } from "@parfocal/errors";
import type { Bag, BagMetadata } from "../bag.ts";

/** What must agree between the bags of one slide. */
export interface BagSource {
  readonly n: number;
  readonly d: number;
  readonly dtype: Bag["features"]["dtype"];
  readonly hasCoords: boolean;
  readonly metadata: BagMetadata;
}

/**
 * Checks that bags may be the magnifications of one slide: one encoder, one width, one element type, one slide, one
 * patient, coordinates in level-0 pixels. What a bag does not say is not held against it.
 *
 * @throws {DomainError} GEOMETRY_MISMATCH or SHAPE_MISMATCH naming both values; slides and patients are not named.
 */
export function assertSameSource(bags: readonly BagSource[]): void {
  for (const [at, bag] of bags.entries()) assertHasGrid(bag, at);
  assertOneValue("SHAPE_MISMATCH", "features per tile", bags, ({ d }) => d);
  assertOneValue("SHAPE_MISMATCH", "the element type", bags, ({ dtype }) => dtype);
  assertOneValue("GEOMETRY_MISMATCH", "the encoder", bags, ({ metadata }) => metadata.encoder);
  assertOneValue("GEOMETRY_MISMATCH", "the slide", bags, ({ metadata }) => metadata.slideId, true);
  assertOneValue("GEOMETRY_MISMATCH", "the patient", bags, ({ metadata }) => metadata.patientId, true);
}

function assertHasGrid({ hasCoords, metadata }: BagSource, at: number): void {
  const fail = (problem: string) => new DomainError("GEOMETRY_MISMATCH", `bag ${at} ${problem}`);
  if (!hasCoords) throw fail("has no coordinates, so nobody can tell which tiles lie over which");
  if (metadata.levelCount !== undefined)
    throw fail("is a region bag already; the bags of single magnifications are needed");
  if (metadata.coordUnit === "encoded_px") {
    throw fail("counts coordinates in pixels of its own magnification; give level0Mpp when importing it");
  }
}

/** `isSecret`: the values identify somebody and stay out of the message. */
function assertOneValue(
  code: "SHAPE_MISMATCH" | "GEOMETRY_MISMATCH",
  what: string,
  bags: readonly BagSource[],
  read: (bag: BagSource) => string | number | undefined,
  isSecret = false,
): void {
  let first: { readonly at: number; readonly value: string | number } | undefined;
  for (const [at, bag] of bags.entries()) {
    const value = read(bag);
    if (value === undefined) continue;
    first ??= { at, value };
    if (first.value === value) continue;
    const values = isSecret ? "" : ` (${first.value} and ${value})`;
    throw new DomainError(
      code,
      `${what} of bag ${first.at} and of bag ${at} differ${values}; a region is of one slide`,
    );
  }
}
