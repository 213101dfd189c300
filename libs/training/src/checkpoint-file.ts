import { encodeSafetensors, float32FromTensor, parseSafetensors, type SafetensorsInput } from "@parfocal/bags";
import { DomainError, isDomainError } from "@parfocal/errors";
import type { ObjectStore } from "@parfocal/store";

/** Vectors of a checkpoint by name. */
type CheckpointVectors = Readonly<Record<string, Float32Array<ArrayBuffer>>>;

/** What a checkpoint holds, and whose it is. */
export interface CheckpointFile {
  /** Kind and version of what is in it; another one is refused, never guessed at. */
  readonly format: string;
  /** SHA-256 of the job it belongs to. */
  readonly jobDigest: string;
  readonly vectors: CheckpointVectors;
  /** What is JSON rather than numbers, as text. */
  readonly state: string;
}

/** A checkpoint as one safetensors file: vectors as they are, the rest in its metadata. Deterministic; restores bit for bit. */
export function encodeCheckpointFile({ format, jobDigest, vectors, state }: CheckpointFile): Uint8Array {
  const tensors = Object.entries(vectors).map(
    ([name, data]) => [name, { dtype: "F32", shape: [data.length], data }] as const,
  );
  return encodeSafetensors(new Map<string, SafetensorsInput>(tensors), { format, jobDigest, state });
}

/**
 * The inverse of {@link encodeCheckpointFile}.
 *
 * @throws {DomainError} `PRECONDITION_FAILED` when the checkpoint belongs to another job; `UNSUPPORTED_FORMAT` when it is none
 * of this format; `CORRUPT` or `TRUNCATED` when it is damaged.
 */
export function parseCheckpointFile(
  bytes: Uint8Array,
  { format, jobDigest }: Pick<CheckpointFile, "format" | "jobDigest">,
): CheckpointFile {
  const { metadata, tensors } = parseSafetensors(bytes);
  if (metadata.format !== format) {
    throw new DomainError("UNSUPPORTED_FORMAT", `the object is ${metadata.format ?? "no checkpoint"}, not ${format}`);
  }
  if (metadata.jobDigest !== jobDigest) {
    const message = `the checkpoint belongs to job ${metadata.jobDigest?.slice(0, 12)}, not to ${jobDigest.slice(0, 12)}`;
    throw new DomainError("PRECONDITION_FAILED", message);
  }
  const vectors = [...tensors].map(([name, tensor]) => [name, Float32Array.from(float32FromTensor(tensor))] as const);
  return { format, jobDigest, vectors: Object.fromEntries(vectors), state: metadata.state ?? "null" };
}

/**
 * The state's JSON, which must be an object with all of `fields`. The job's digest covers who wrote it, so that fields need no
 * second check beyond being there.
 *
 * @throws {DomainError} `CORRUPT` when it is not.
 */
export function parseCheckpointState<T extends object>({ state }: CheckpointFile, fields: readonly (keyof T)[]): T {
  const meta: unknown = JSON.parse(state);
  if (typeof meta === "object" && meta !== null && fields.every((field) => field in meta)) return meta as T;
  throw new DomainError("CORRUPT", "the checkpoint's state lacks fields");
}

/** The object under `key`; null when there is none. @throws {DomainError} What the store throws. */
export async function readCheckpointBytes(
  store: ObjectStore,
  key: string,
  signal?: AbortSignal,
): Promise<Uint8Array | null> {
  try {
    return (await store.get(key, signal ? { signal } : {})).bytes;
  } catch (error) {
    if (isDomainError(error, "NOT_FOUND")) return null;
    throw error;
  }
}
