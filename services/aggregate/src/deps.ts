import type { ReportThinning } from "@parfocal/runtime";
import type { StageDeps } from "@parfocal/stage";
import type { ModelCache } from "@parfocal/training";

/** What the stage's handlers work with; each takes the part it needs. */
export interface AggregateDeps extends StageDeps {
  readonly models: ModelCache;
  /** Least time between two checkpoints of a training, ms. */
  readonly checkpointMs: number;
  /** Hears of tiles that a training leaves out. */
  readonly reportThinning: ReportThinning;
}
