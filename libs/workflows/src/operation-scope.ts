import type { DriverEnvironment } from "./driver-environment.ts";
import type { OperationIndex } from "./operation-index.ts";
import type { OperationPool } from "./operation-pool.ts";

/** What the calls of the driver work on. */
export interface OperationScope {
  readonly env: DriverEnvironment;
  readonly index: OperationIndex;
  readonly pool: OperationPool;
  /** Orders the calls that create and delete one operation. */
  readonly locks: KeyedLocks;
}

/** One queue for each key. */
export interface KeyedLocks {
  /** Runs `work` after every earlier work of the same key. */
  run<T>(key: string, work: () => Promise<T>): Promise<T>;
}

/** Locks that cost nothing while nobody holds them. */
export function createKeyedLocks(): KeyedLocks {
  const tails = new Map<string, Promise<unknown>>();
  return {
    async run(key, work) {
      const turn = (tails.get(key) ?? Promise.resolve()).then(work);
      const tail = turn.catch(() => undefined); // The next in line does not care how this one ended.
      tails.set(key, tail);
      try {
        return await turn;
      } finally {
        if (tails.get(key) === tail) tails.delete(key);
      }
    },
  };
}

/** How many requests the driver has at the store at once when it works through many operations. */
const MAX_PARALLEL = 16;

/** Runs `work` for every item, at most 16 at once. The first failure ends it, after what had begun. */
export async function forEachLimited<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const queue = items.values();
  const worker = async (): Promise<void> => {
    for (const item of queue) await work(item);
  };
  const ends = await Promise.allSettled(Array.from({ length: MAX_PARALLEL }, worker));
  for (const end of ends) if (end.status === "rejected") throw end.reason;
}
