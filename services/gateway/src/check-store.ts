import type { Logger } from "@parfocal/runtime";
import { type ObjectStore, probeStore } from "@parfocal/store";

/**
 * Lets writers race on the store and says what it found. A store that lets two of them win is safe for one gateway only:
 * the start goes on, and the log says so at the level that wakes people. So it does for one that takes no such writes.
 *
 * @throws {DomainError} the store's own codes when it cannot be written at all.
 */
export async function checkStore(store: ObjectStore, logger: Logger): Promise<void> {
  const probe = await probeStore(store);
  const isExact = probe.conditionalPuts === "exact" && probe.conditionalUpdates === "exact";
  if (isExact) {
    logger.info("store probed: conditional writes are exact", { count: probe.nWriters });
    return;
  }
  if (probe.conditionalPuts === "refused" || probe.conditionalUpdates === "refused") {
    logger.error("store probed: it refuses conditional writes, nothing can be committed to it");
    return;
  }
  const worst = Math.max(...probe.createWinners, ...probe.updateWinners);
  logger.error("store probed: conditional writes are broken, run a single gateway only", { count: worst });
}
