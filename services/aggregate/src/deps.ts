import type { Engine } from "@parfocal/engine";
import type { ObjectStore } from "@parfocal/store";
import type { ModelCache } from "@parfocal/training";

/** What the stage's handlers work with; each takes the part it needs. */
export interface AggregateDeps {
  readonly store: ObjectStore;
  readonly engine: Engine;
  readonly models: ModelCache;
  /** What trains: commit or image digest, kept in every manifest. */
  readonly codeVersion: string;
}
