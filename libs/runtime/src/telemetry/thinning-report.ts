import { Counter, type Registry } from "prom-client";
import type { Logger } from "./logger.ts";

/** Tells of tiles that were left out of bags, as they share a cell of the grid with another and the model takes one of each. */
export type ReportThinning = (tileCount: number) => void;

/** Counts them in `parfocal_thinned_tiles_total` and logs a line, which names no bag. Nothing is told of no tiles. */
export function createThinningReport(registry: Registry, logger: Pick<Logger, "info">): ReportThinning {
  const tiles = new Counter({
    name: "parfocal_thinned_tiles_total",
    help: "Tiles left out because they share a cell of the grid with another.",
    registers: [registry],
  });
  return (count) => {
    if (count === 0) return;
    tiles.inc(count);
    logger.info("tiles that share a cell were left out", { count });
  };
}
