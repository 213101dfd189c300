import type { ModelCache, ReembedDeps } from "@parfocal/training";

/** What the stage's handlers work with. */
export interface ReembedStageDeps extends ReembedDeps {
  readonly models: ModelCache;
}
