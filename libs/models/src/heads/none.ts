import { DomainError } from "@parfocal/errors";
import { createConfigReader } from "../config-reader.ts";
import type { HeadConfig, HeadDefinition } from "../model.ts";

/** Configuration of {@link noHead}. */
export interface NoHeadConfig extends HeadConfig {
  readonly kind: "none";
}

/** No head: the model gives re-embedded tiles and decides nothing. Goes with the task `embedding` alone. */
export const noHead: HeadDefinition<NoHeadConfig> = {
  kind: "none",
  parseConfig(json) {
    const reader = createConfigReader(json, "head");
    const config: NoHeadConfig = { kind: reader.choice("kind", ["none"]) };
    reader.assertNoOthers();
    return config;
  },
  declare: () => ({ parameters: [], dropoutSites: [] }),
  countBranches: () => 0,
  forward() {
    throw new DomainError("PRECONDITION_FAILED", "the model has no head: it re-embeds tiles and decides nothing");
  },
};
