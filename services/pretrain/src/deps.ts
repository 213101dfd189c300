import type { StageDeps } from "@parfocal/stage";

/** What the stage's handlers work with: store, engine and code version. */
export type PretrainDeps = StageDeps;
