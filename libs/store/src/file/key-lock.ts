import { createHash } from "node:crypto";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { orAborted } from "@parfocal/errors";
import { delay } from "../body.ts";
import { OWN_FOLDER } from "./key-path.ts";

/** Keys share this many locks; two keys on one lock only wait for each other. */
const N_SHARDS = 16;

/** Another process holds the lock for about one `fsync`. */
const POLL_MS = 2;

const SQLITE_BUSY = 5;

/** Mutual exclusion between all processes that have this root open, by key. */
export interface KeyLocks {
  /** Runs `work` while no other process or call runs work for the same key. */
  withLock<T>(key: string, signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T>;
  close(): void;
}

/**
 * Locks for the keys of a root. Node has no `flock`; SQLite, which it carries, takes a POSIX record lock on its database
 * file (`BEGIN IMMEDIATE`). The kernel drops such a lock when its holder dies, however it
 * dies, and it holds between containers that share the folder, where process ids mean nothing. So there are no stale
 * locks to detect, which is what lock files get wrong. Nothing is written to the disk, which may be full: its journal, which SQLite
 * begins with the lock, stays in memory.
 */
export function createKeyLocks(root: string): KeyLocks {
  const databases = new Map<number, DatabaseSync>();
  const tails = new Map<number, Promise<void>>();

  const open = (shard: number): DatabaseSync => {
    const known = databases.get(shard);
    if (known !== undefined) return known;
    const folder = join(root, OWN_FOLDER, "locks");
    mkdirSync(folder, { recursive: true });
    const database = new DatabaseSync(join(folder, `${shard}.lock`), { timeout: 0 });
    database.exec("PRAGMA journal_mode = MEMORY");
    databases.set(shard, database);
    return database;
  };

  const withLock = async <T>(key: string, signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> => {
    const shard = (createHash("sha256").update(key).digest()[0] ?? 0) % N_SHARDS;
    const before = tails.get(shard) ?? Promise.resolve();
    const { promise, resolve } = Promise.withResolvers<void>();
    tails.set(
      shard,
      before.then(() => promise),
    );
    try {
      await orAborted(before, signal);
      const database = open(shard);
      while (!tryBegin(database)) await delay(POLL_MS, signal);
      try {
        return await work();
      } finally {
        database.exec("ROLLBACK");
      }
    } finally {
      resolve();
    }
  };

  return {
    withLock,
    close: () => {
      for (const database of databases.values()) database.close();
      databases.clear();
    },
  };
}

function tryBegin(database: DatabaseSync): boolean {
  try {
    database.exec("BEGIN IMMEDIATE");
    return true;
  } catch (error) {
    if (error instanceof Error && "errcode" in error && error.errcode === SQLITE_BUSY) return false;
    throw error;
  }
}
