import type { CountLookup } from "@parfocal/runtime";
import type { ModelCache, ReembedDeps } from "@parfocal/training";

/** What the stage's handlers work with. */
export interface ReembedStageDeps extends ReembedDeps {
  readonly models: ModelCache;
  /** Hears whether a re-embedding was in the store already. */
  readonly onLookup: CountLookup;
}
