import { DomainError } from "@parfocal/errors";
import type { CallOptions, ObjectStore } from "@parfocal/store";
import { readJson, writeJson } from "../catalog/json-objects.ts";
import type { ShardOutcomes } from "./score-shard.ts";

/** Writes what came of a shard. */
export async function writeShard(
  store: ObjectStore,
  key: string,
  outcomes: ShardOutcomes,
  options: CallOptions,
): Promise<void> {
  await writeJson(store, key, outcomes, options);
}

/** What came of a shard; `undefined` when it was not finished. @throws {DomainError} `CORRUPT`; the store's own codes. */
export async function readShard(
  store: ObjectStore,
  key: string,
  options: CallOptions,
): Promise<ShardOutcomes | undefined> {
  return (await readJson(store, key, parseShard, options))?.value;
}

function parseShard(json: unknown): ShardOutcomes {
  if (Array.isArray(json) && json.every(Array.isArray)) return json as unknown as ShardOutcomes;
  throw new DomainError("CORRUPT", "the outcomes of a shard are not what was written");
}
