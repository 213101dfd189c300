import { DomainError, isDomainError } from "@parfocal/errors";
import { shortDigest } from "./short-digest.ts";

/** Bags that an error names; the others are counted. */
const MAX_NAMED = 5;

/** A bag that has not the magnifications that a model looks at. */
export interface LackingBag {
  readonly digest: string;
  /** What bags of this kind lack, as the end of "3 of 12 bags …". */
  readonly lacks: string;
  readonly details: Readonly<Record<string, string>>;
}

/** What `error`, thrown for the bag of `digest`, says of its magnifications; undefined when it says something else. */
export function lackingBagOf(error: unknown, digest: string): LackingBag | undefined {
  if (!isDomainError(error, "GEOMETRY_MISMATCH")) return undefined;
  const { field, expected, found } = error.details;
  const details = { field: field ?? "", expected: expected ?? "", ...(found !== undefined && { found }) };
  if (field === "levels") {
    const lacks = `no tile of the magnifications ${expected} (0: the coarsest) that the model looks at`;
    return { digest, lacks, details };
  }
  if (field !== "levelCount") return undefined;
  return { digest, lacks: `magnifications to the number of ${found}, the model looks at bags of ${expected}`, details };
}

/**
 * One error for all bags of a job that lack magnifications: how many lack which, and the first digits of the digests of a few.
 * `bags`, at least one, are those that do, in the order of the job, which has `nBags`.
 */
export function lackingLevelsError(bags: readonly LackingBag[], nBags: number): DomainError {
  const kinds = new Map<string, LackingBag[]>();
  for (const bag of bags) kinds.set(bag.lacks, [...(kinds.get(bag.lacks) ?? []), bag]);
  const sentences = [...kinds].map(([lacks, those]) => {
    const verb = those.length === 1 ? "has" : "have";
    return `${those.length} of ${nBags} bags ${verb} ${lacks} (${namesOf(those)})`;
  });
  return new DomainError("GEOMETRY_MISMATCH", sentences.join("; "), {
    details: {
      ...bags[0]?.details,
      bagCount: `${bags.length}`,
      bagDigests: bags
        .slice(0, MAX_NAMED)
        .map(({ digest }) => digest)
        .join(","),
    },
  });
}

/** The first digits of a few digests, and how many more there are. */
export function namesOf(bags: readonly { readonly digest: string }[]): string {
  const named = bags.slice(0, MAX_NAMED).map(({ digest }) => shortDigest(digest));
  const nMore = bags.length - named.length;
  return `${named.join(", ")}${nMore > 0 ? ` and ${nMore} more` : ""}`;
}
