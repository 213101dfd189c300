import { createConfigReader } from "../config-reader.ts";
import type { ReembedderConfig, ReembedderDefinition } from "../model.ts";

/** Configuration of {@link noReembedder}. */
export interface NoReembedderConfig extends ReembedderConfig {
  readonly kind: "none";
}

/** Leaves the tiles as they are. */
export const noReembedder: ReembedderDefinition<NoReembedderConfig> = {
  kind: "none",
  parseConfig(json) {
    const reader = createConfigReader(json, "reembed");
    const config: NoReembedderConfig = { kind: reader.choice("kind", ["none"]) };
    reader.assertNoOthers();
    return config;
  },
  outputWidth: (_config, dIn) => dIn,
  sideInputs: () => [],
  declare: () => ({ parameters: [], dropoutSites: [] }),
  forward: (_config, { tiles }) => ({ tiles }),
};
