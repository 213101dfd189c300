import type { Logger } from "@parfocal/runtime";
import type { ObjectStore } from "@parfocal/store";
import type { WorkflowDriver } from "@parfocal/workflows";
import { keys } from "./catalog/keys.ts";

const HOUR_MS = 3_600_000;

/** An upload that nothing took within this time was forgotten. */
const UPLOAD_TTL_MS = 24 * HOUR_MS;

/** Kinds of operations that read uploads, which they may come to long after they were asked for. */
const READING_KINDS = ["batch", "import-model"];

/** What {@link scheduleExpiry} cleans. */
interface ExpiryDeps {
  readonly operations: Pick<WorkflowDriver, "expireOperations" | "list">;
  readonly store: Pick<ObjectStore, "list" | "delete">;
}

/**
 * Deletes finished operations that are older than `ttlHours`, and uploads that are older than a day, now and every hour. Uploads of a
 * project whose open operations may need one stay. A failure is logged and tried again.
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
    void expire("uploads", () => expireUploads({ operations, store }, Date.now() - UPLOAD_TTL_MS));
  };
  expireAll();
  const timer = setInterval(expireAll, HOUR_MS);
  timer.unref();
  return { stop: () => clearInterval(timer) };
}

/** Deletes the uploads from before `untilMs` (milliseconds since 1970); gives how many. Those without a time stay. */
export async function expireUploads(
  { operations, store }: Pick<ExpiryDeps, "store"> & { readonly operations: Pick<WorkflowDriver, "list"> },
  untilMs: number,
): Promise<number> {
  const isReading = memoised((project) => hasOpenReaders(operations, project));
  let count = 0;
  let pageToken: string | undefined;
  do {
    const page = await store.list(keys.uploadsPrefix, pageToken === undefined ? {} : { pageToken });
    for (const { key, lastModifiedMs } of page.objects) {
      if (lastModifiedMs === 0 || lastModifiedMs >= untilMs) continue;
      const [project = ""] = key.slice(keys.uploadsPrefix.length).split("/");
      if (await isReading(project)) continue;
      await store.delete(key);
      count++;
    }
    pageToken = page.nextPageToken;
  } while (pageToken !== undefined);
  return count;
}

/** Whether operations of a project that are not done may read an upload. */
async function hasOpenReaders(operations: Pick<WorkflowDriver, "list">, project: string): Promise<boolean> {
  for (const kind of READING_KINDS) {
    const page = await operations.list(project, { pageSize: 1, kind, isDone: false });
    // A page may be short: where another follows there may be one.
    if (page.operations.length > 0 || page.nextPageToken !== undefined) return true;
  }
  return false;
}

function memoised<T>(of: (key: string) => Promise<T>): (key: string) => Promise<T> {
  const known = new Map<string, Promise<T>>();
  return (key) => {
    const found = known.get(key) ?? of(key);
    known.set(key, found);
    return found;
  };
}
