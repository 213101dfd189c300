import { DomainError, isDomainError, mapBounded } from "@parfocal/errors";
import { parseResourceName } from "@parfocal/protocol";
import type { BagCatalog, BagEntry } from "../catalog/bag-catalog.ts";

const CONCURRENT_READS = 32;

/** A bag as a request names it. */
export interface NamedBag {
  readonly name: string;
  /** Field of the request that holds the name, e.g. `bags[3].bag`. */
  readonly field: string;
}

/**
 * The catalog's entries of bags that a request names, in order, so that a request is refused at once when its workflow would
 * not find them.
 *
 * @throws {DomainError} `INVALID_ARGUMENT` for a name that is none, `FORBIDDEN` for a bag of another project, `NOT_FOUND`;
 *   each names the field.
 */
export function entriesOfNamed(
  bags: Pick<BagCatalog, "get">,
  project: string,
  named: readonly NamedBag[],
  signal: AbortSignal,
): Promise<BagEntry[]> {
  return mapBounded(named, CONCURRENT_READS, async ({ name, field }) => {
    const parsed = parseResourceName("bag", name, field);
    if (parsed.project !== project) {
      throw new DomainError("FORBIDDEN", `${field} belongs to another project`, { details: { field } });
    }
    return bags.get(project, parsed.bag, { signal }).catch((error: unknown) => {
      if (!isDomainError(error, "NOT_FOUND")) throw error;
      throw new DomainError("NOT_FOUND", `${field} is no bag of this project`, { details: { field } });
    });
  });
}

/** Refuses a list that is too short or too long. @throws {DomainError} `INVALID_ARGUMENT` naming field, length and bounds. */
export function assertLength(field: string, list: readonly unknown[], min: number, max: number): void {
  if (list.length >= min && list.length <= max) return;
  const bound = `${min} to ${max}`;
  const details = { field, value: `${list.length}`, bound };
  throw new DomainError("INVALID_ARGUMENT", `${field} has ${list.length} entries; it is ${bound}`, { details });
}

/** Refuses a list that names a bag twice. @throws {DomainError} `INVALID_ARGUMENT` naming both fields. */
export function assertDistinct(named: readonly NamedBag[]): void {
  const seen = new Map<string, string>();
  for (const { name, field } of named) {
    const before = seen.get(name);
    if (before !== undefined) {
      const message = `${field} names the same bag as ${before}`;
      throw new DomainError("INVALID_ARGUMENT", message, { details: { field } });
    }
    seen.set(name, field);
  }
}
