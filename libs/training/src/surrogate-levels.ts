import type { BagMetadata } from "@parfocal/bags";
import { DomainError } from "@parfocal/errors";
import type { Model } from "@parfocal/models";
import { namesOf } from "./lacking-levels.ts";

/** What of a bag tells whether a magnification of it was made up. */
export interface LevelledBag {
  readonly digest: string;
  readonly metadata: Pick<BagMetadata, "surrogateLevels">;
}

/**
 * Checks that no magnification that `model` looks at (all, for a model that does not choose) is made up in some of the bags and not in
 * others: means of finer tiles are no features of coarse ones, and what tells them apart may go with the label.
 *
 * @throws {DomainError} `PRECONDITION_FAILED` naming the magnification, how many bags have stand-ins there, and the first digits of a few.
 */
export function assertLevelsUnmixed(bags: readonly LevelledBag[], { regions }: Pick<Model, "regions">): void {
  const made = new Set(bags.flatMap(({ metadata }) => metadata.surrogateLevels ?? []));
  const levels = [...made].filter((m) => regions?.levels.includes(m) ?? true).sort((a, b) => a - b);
  for (const m of levels) {
    const those = bags.filter(({ metadata }) => metadata.surrogateLevels?.includes(m) === true);
    if (those.length === bags.length) continue;
    const found = `magnification ${m} (0: the coarsest) is made up in ${those.length} of ${bags.length} bags (${namesOf(those)})`;
    throw new DomainError(
      "PRECONDITION_FAILED",
      `${found} and not in the others; build all bags alike, leave the level out, or say recipe.mixSurrogateLevels`,
      { details: { field: "recipe.mix_surrogate_levels", value: `${those.length}`, bound: `0 or ${bags.length}` } },
    );
  }
}
