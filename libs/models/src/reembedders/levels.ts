import { DomainError } from "@parfocal/errors";
import { tf } from "@parfocal/tensor";
import { createConfigReader } from "../config-reader.ts";
import { readLevels } from "../mixer/mixer-config.ts";
import type { ReembedderConfig, ReembedderDefinition } from "../model.ts";

/** Configuration of {@link levelSelection}. */
export interface LevelsConfig extends ReembedderConfig {
  readonly kind: "levels";
  /** L, magnifications of the bags. */
  readonly levelCount: number;
  /** Which of them are kept, 0 for the coarsest. */
  readonly levels: readonly number[];
}

/** Keeps the tiles of some magnifications as they are, in the order of the bag: what a mixer is to be compared with. */
export const levelSelection: ReembedderDefinition<LevelsConfig> = {
  kind: "levels",
  parseConfig(json) {
    const reader = createConfigReader(json, "reembed");
    const levelCount = reader.number("levelCount", { min: 1, max: 5, isInteger: true, fallback: 3 });
    const config: LevelsConfig = {
      kind: reader.choice("kind", ["levels"]),
      levelCount,
      levels: readLevels(reader, levelCount, "reembed"),
    };
    reader.assertNoOthers();
    return config;
  },
  outputWidth: (_config, dIn) => dIn,
  sideInputs: () => ["kept"],
  regions: ({ levelCount, levels }) => ({ levelCount, levels, regionTiles: 1 }),
  outputRows: () => "kept",
  declare: () => ({ parameters: [], dropoutSites: [] }),
  forward(_config, { tiles, kept }) {
    if (kept === undefined)
      throw new DomainError("INTERNAL", "levels was run without the rows to keep that it asks for");
    return { tiles: tf.gather(tiles, kept) };
  },
};
