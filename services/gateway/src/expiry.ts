import type { Logger } from "@parfocal/runtime";
import type { EmbeddedDriver } from "@parfocal/workflows";

const HOUR_MS = 3_600_000;

/** Deletes finished operations that are older than `ttlHours`, now and every hour. A failure is logged and tried again. */
export function scheduleExpiry(
  operations: Pick<EmbeddedDriver, "expireOperations">,
  ttlHours: number,
  logger: Logger,
): { stop(): void } {
  const expire = async (): Promise<void> => {
    try {
      const count = await operations.expireOperations({ olderThanMs: ttlHours * HOUR_MS });
      if (count > 0) logger.info("finished operations expired", { count });
    } catch (error) {
      logger.warn("finished operations could not be expired", { error });
    }
  };
  void expire();
  const timer = setInterval(() => void expire(), HOUR_MS);
  timer.unref();
  return { stop: () => clearInterval(timer) };
}
