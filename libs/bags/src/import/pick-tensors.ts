import { DomainError } from "@parfocal/errors";

/** Names under which tools store tile features. */
const FEATURE_NAMES = ["features", "feats", "patch_embeddings", "embeddings"] as const;

/** Names under which they store coordinates. */
const COORD_NAMES = ["coords", "coordinates"] as const;

/** The names of features and coordinates among those that a container has. */
export interface PickedNames {
  readonly features: string;
  readonly coords?: string;
}

/**
 * Finds features and coordinates by the names that tools use.
 *
 * @throws {DomainError} UNSUPPORTED_FORMAT when no name is known or several are, listing what was found.
 */
export function pickNames(names: readonly string[]): PickedNames {
  const features = pickOne(FEATURE_NAMES, names, "features");
  if (features === undefined) {
    const hint = names.includes("coords") ? " (coordinates alone: a patch file without features)" : "";
    throw new DomainError("UNSUPPORTED_FORMAT", `no ${FEATURE_NAMES.join(", ")} among ${listed(names)}${hint}`);
  }
  const coords = pickOne(COORD_NAMES, names, "coordinates");
  return { features, ...(coords !== undefined && { coords }) };
}

function pickOne(known: readonly string[], names: readonly string[], what: string): string | undefined {
  const found = known.filter((name) => names.includes(name));
  if (found.length > 1)
    throw new DomainError("UNSUPPORTED_FORMAT", `more than one array of ${what}: ${found.join(", ")}`);
  return found[0];
}

/** Names come from the file: show a few, short and quoted. */
function listed(names: readonly string[]): string {
  const shown = names.slice(0, 8).map((name) => JSON.stringify(name.slice(0, 40)));
  return names.length === 0 ? "no arrays at all" : `${shown.join(", ")}${names.length > 8 ? ", ..." : ""}`;
}
