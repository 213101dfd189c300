import type { Logger } from "@parfocal/runtime";
import type { ObjectStore } from "@parfocal/store";
import type { WorkflowDriver } from "@parfocal/workflows";
import { keys } from "./catalog/keys.ts";

const HOUR_MS = 3_600_000;

/** An upload that no import took within this time was forgotten. */
const UPLOAD_TTL_MS = 24 * HOUR_MS;

/** What {@link scheduleExpiry} cleans. */
interface ExpiryDeps {
  readonly operations: Pick<WorkflowDriver, "expireOperations">;
  readonly store: Pick<ObjectStore, "list" | "delete">;
}

/**
 * Deletes finished operations that are older than `ttlHours`, and uploads that are older than a day, now and every hour. A failure
 * is logged and tried again.
 */
export function scheduleExpiry({ operations, store }: ExpiryDeps, ttlHours: number, logger: Logger): { stop(): void } {
  const expire = async (what: string, work: () => Promise<number>): Promise<void> => {
    try {
      const count = await work();
      if (count > 0) logger.info(`${what} expired`, { count });
    } catch (error) {
      logger.warn(`${what} could not be expired`, { error });
    }
  };
  const expireAll = (): void => {
    void expire("finished operations", () => operations.expireOperations({ olderThanMs: ttlHours * HOUR_MS }));
    void expire("uploads", () => expireUploads(store, Date.now() - UPLOAD_TTL_MS));
  };
  expireAll();
  const timer = setInterval(expireAll, HOUR_MS);
  timer.unref();
  return { stop: () => clearInterval(timer) };
}

/** Deletes the uploads from before `untilMs` (milliseconds since 1970); gives how many. Those without a time stay. */
export async function expireUploads(store: ExpiryDeps["store"], untilMs: number): Promise<number> {
  let count = 0;
  let pageToken: string | undefined;
  do {
    const page = await store.list(keys.uploadsPrefix, pageToken === undefined ? {} : { pageToken });
    for (const { key, lastModifiedMs } of page.objects) {
      if (lastModifiedMs === 0 || lastModifiedMs >= untilMs) continue;
      await store.delete(key);
      count++;
    }
    pageToken = page.nextPageToken;
  } while (pageToken !== undefined);
  return count;
}
