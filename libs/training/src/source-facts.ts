import { type BagMetadata, tileStridePx } from "@parfocal/bags";
import { DomainError } from "@parfocal/errors";
import type { Model } from "@parfocal/models";
import type { BagSourceFacts } from "./job.ts";

type FactName = keyof BagSourceFacts;

/** Scanners at one nominal magnification differ by a few per cent; the next magnification is a factor of 2 away. */
const MPP_TOLERANCE = 0.1;

/** A stride in pixels of the tile may be made of two resolutions, which may differ by as much. Tiles that overlap do so by more. */
const STRIDE_TOLERANCE = 0.1;

/** By how much of itself a fact may differ; the others must be equal. */
const TOLERANCES: Readonly<Partial<Record<FactName, number>>> = {
  mpp: MPP_TOLERANCE,
  stridePx: STRIDE_TOLERANCE,
  level0StridePx: STRIDE_TOLERANCE,
};

const NAMES = [
  ...(["encoder", "tilePx", "mpp", "stridePx", "level0StridePx"] as const),
  "surrogateLevels",
] as const satisfies readonly FactName[];

/** What of a model tells which magnifications it looks at: all, where it does not choose. */
type Looking = Partial<Pick<Model, "regions">>;

/**
 * What a bag says of its source to a model. Of its strides the one that does not depend on the scanner, where the bag tells it; of a
 * region bag also which of the magnifications that `model` looks at are made up.
 */
export function sourceFactsOf(metadata: BagMetadata, model?: Looking): BagSourceFacts {
  const { encoder, tilePx, mpp, level0StridePx, levelCount } = metadata;
  const stridePx = tileStridePx(metadata);
  // Magnifications of a region bag do not overlap: a stride of level 0 would only tell scanners apart.
  const isKept = stridePx === undefined && level0StridePx !== undefined && levelCount === undefined;
  return {
    ...(encoder !== undefined && { encoder }),
    ...(tilePx !== undefined && { tilePx }),
    ...(mpp !== undefined && { mpp }),
    ...(stridePx !== undefined && { stridePx }),
    ...(isKept && { level0StridePx }),
    ...(model !== undefined && levelCount !== undefined && { surrogateLevels: surrogatesOf(metadata, model) }),
  };
}

function surrogatesOf({ surrogateLevels = [] }: BagMetadata, { regions }: Looking): string {
  const looked = surrogateLevels.filter((m) => regions?.levels.includes(m) ?? true);
  return looked.length === 0 ? "none" : looked.join(",");
}

/**
 * The encoder and geometry that bags agree on: of each field the first value that any of them gives. Strides are told for a model that
 * looks at where tiles lie, and made-up magnifications for any, both only where all that say one agree.
 *
 * @throws {DomainError} `GEOMETRY_MISMATCH` naming two values of another field that differ.
 */
export function commonSource(
  bags: readonly { readonly metadata: BagMetadata }[],
  model?: Pick<Model, "sideInputs"> & Looking,
): BagSourceFacts {
  const all = bags.map(({ metadata }) => sourceFactsOf(metadata, model));
  let facts: BagSourceFacts = {};
  for (const { stridePx: _stride, level0StridePx: _level0, surrogateLevels: _surrogates, ...found } of all) {
    assertSourceFits(facts, found);
    facts = { ...found, ...facts };
  }
  const placed = model === undefined || looksAtPlaces(model) ? commonStride(all) : {};
  return { ...facts, ...placed, ...commonSurrogates(all) };
}

/** Whether a model takes more of where tiles lie than which magnification they are of. */
function looksAtPlaces({ sideInputs }: Pick<Model, "sideInputs">): boolean {
  return sideInputs.some((name) => name !== "kept");
}

/** The stride that all bags agree on that say one; those of level 0 count only where none says the other. */
function commonStride(all: readonly BagSourceFacts[]): Pick<BagSourceFacts, "stridePx" | "level0StridePx"> {
  const name = all.some(({ stridePx }) => stridePx !== undefined) ? "stridePx" : "level0StridePx";
  const values = all.flatMap((facts) => facts[name] ?? []);
  const [first] = values;
  if (first === undefined || !values.every((value) => areAlike(first, value, name))) return {};
  return { [name]: first };
}

function commonSurrogates(all: readonly BagSourceFacts[]): Pick<BagSourceFacts, "surrogateLevels"> {
  const [surrogateLevels, ...others] = new Set(all.flatMap((facts) => facts.surrogateLevels ?? []));
  return surrogateLevels === undefined || others.length > 0 ? {} : { surrogateLevels };
}

/**
 * Checks that two sources of bags are alike. What either does not say is taken to agree.
 *
 * @throws {DomainError} `GEOMETRY_MISMATCH` naming both encoders, both tile sizes, both lists of made-up magnifications, or both
 * resolutions or strides when they differ by more than 10 %.
 */
export function assertSourceFits(expected: BagSourceFacts, found: BagSourceFacts): void {
  for (const field of NAMES) {
    const [wanted, value] = [expected[field], found[field]];
    if (wanted === undefined || value === undefined || areAlike(wanted, value, field)) continue;
    const message = `the ${field} of the bag is ${value}, that of the other bags or of the model ${wanted}`;
    throw new DomainError("GEOMETRY_MISMATCH", `${message}${HINTS[field] ?? ""}`, {
      details: { field, expected: `${wanted}`, found: `${value}` },
    });
  }
}

/** What can be done about it. */
const HINTS: Readonly<Partial<Record<FactName, string>>> = {
  surrogateLevels:
    "; build its regions as those of the training bags, or train with recipe.mixSurrogateLevels on bags of both kinds",
  level0StridePx:
    "; of slides whose level 0 differs import the bags with mpp and level0Mpp, which tell the stride in pixels of the tile",
};

function areAlike(a: string | number, b: string | number, field: FactName): boolean {
  const tolerance = TOLERANCES[field];
  if (tolerance === undefined) return a === b;
  return Math.abs(Number(a) - Number(b)) <= tolerance * Number(a);
}
