import { createHash } from "node:crypto";
import { DomainError } from "@parfocal/errors";
import { type CallOptions, type ObjectStore, streamVerified } from "@parfocal/store";
import { streamText } from "@parfocal/tables";
import type { Json } from "@parfocal/workflows";
import { type Digest, digestChunks } from "./digest-chunks.ts";
import { putDigested } from "./put-digested.ts";
import { linesOfRows, rowsOfLines } from "./row-lines.ts";

/** A model of a batch, as it was when the batch was planned. */
export interface BatchModel {
  /** `projects/{p}/models/{m}/versions/{v}`. */
  readonly name: string;
  /** `ModelReference` in the contract's JSON. */
  readonly reference: Json;
  /** Empty: none. */
  readonly reembedder: string;
  /** `Task` in the contract's JSON. */
  readonly task: Json;
  readonly featureDim: number;
  /** Survival in discrete time: ends of the intervals, from 0; absent: none, or not known. */
  readonly edges?: readonly number[];
}

/** Why something was not scored. */
export interface CaseFailure {
  readonly code: string;
  readonly message: string;
}

/** What came of one row and one model: the contract's `Prediction` in JSON without times, which no two runs share. */
export type CaseOutcome = { readonly prediction: Json } | CaseFailure;

/** How a manifest names a bag. */
export interface NamedRow {
  /** Line of the manifest. */
  readonly line: number;
  readonly by: "bag" | "slide";
  readonly name: string;
  /** The manifest's own; empty: the bag's. */
  readonly patient: string;
}

/** A row of the manifest, looked up. */
export interface PlannedRow extends NamedRow {
  /** SHA-256 of the bag; absent in a row that means none. */
  readonly bag?: string;
  readonly slide: string;
  /** Why the row means no bag. */
  readonly failure?: CaseFailure;
  /** By model: what an earlier batch found, which is not asked again. */
  readonly kept?: readonly (CaseOutcome | null)[];
}

/** Everything that decides what a batch computes. */
export interface BatchPlan {
  readonly models: readonly BatchModel[];
  readonly rule: "mean" | "max";
  readonly isTransient: boolean;
  /** Whether what the models say together is told too; absent: it is not. */
  readonly isEnsemble?: boolean;
  /** Whether tables have the column `seen`; absent in plans of before there was one, whose tables stay what they were. */
  readonly tellsSeen?: boolean;
  readonly rows: readonly PlannedRow[];
  /** Indices of rows, by step. */
  readonly shards: readonly (readonly number[])[];
}

/** Where a plan lies. */
export interface StoredPlan extends Digest {
  readonly key: string;
}

/** Writes a plan, line by line: others have their turn meanwhile. @throws {DomainError} the store's own codes. */
export async function writePlan(
  store: ObjectStore,
  key: string,
  plan: BatchPlan,
  options: CallOptions,
): Promise<StoredPlan> {
  const lines = streamText(linesOfRows(plan));
  return { key, ...(await putDigested(store, key, lines, { contentType: "application/x-ndjson", ...options })) };
}

/** Reads a plan that {@link writePlan} wrote. @throws {DomainError} `CORRUPT` when it is another one; the store's own codes. */
export async function readPlan(store: ObjectStore, { key, sha256, sizeBytes }: StoredPlan): Promise<BatchPlan> {
  return parsePlan(streamVerified(store, key, { digest: sha256, sizeBytes }));
}

/** Reads the plan at `key` as it is, with its digest. @throws {DomainError} `NOT_FOUND`, `CORRUPT`, the store's own codes. */
export async function findPlan(
  store: ObjectStore,
  key: string,
  options: CallOptions,
): Promise<{ readonly plan: BatchPlan; readonly stored: StoredPlan }> {
  const { chunks } = await store.getStream(key, options);
  const digested = digestChunks(chunks);
  const plan = await parsePlan(digested.chunks);
  return { plan, stored: { key, ...digested.digest() } };
}

async function parsePlan(chunks: AsyncIterable<Uint8Array>): Promise<BatchPlan> {
  const plan = (await rowsOfLines(chunks)) as Partial<BatchPlan>;
  if (Array.isArray(plan.shards)) return plan as BatchPlan;
  throw new DomainError("CORRUPT", "the plan of the batch is not what was written");
}

/** The models that a row still asks, as indices. */
export function modelsToAsk(plan: Pick<BatchPlan, "models">, row: PlannedRow): number[] {
  if (row.bag === undefined) return [];
  return [...plan.models.keys()].filter((model) => (row.kept?.[model] ?? null) === null);
}

/** Cuts the rows that ask something into shards of at most `shardRows`. */
export function shardsOf(plan: Omit<BatchPlan, "shards">, shardRows: number): number[][] {
  const asking = [...plan.rows.keys()].filter((index) => modelsToAsk(plan, plan.rows[index]!).length > 0);
  const nShards = Math.ceil(asking.length / shardRows);
  return Array.from({ length: nShards }, (_, shard) => asking.slice(shard * shardRows, (shard + 1) * shardRows));
}

/** Identity of what a shard computes: the same plan and place, the same result. */
export function shardDigest({ sha256 }: Pick<StoredPlan, "sha256">, shard: number): string {
  return createHash("sha256").update(`${sha256} ${shard}`).digest("hex");
}
