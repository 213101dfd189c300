import { encodeSafetensors, float32FromTensor, parseSafetensors, type SafetensorsInput } from "@parfocal/bags";
import { DomainError, isDomainError } from "@parfocal/errors";
import type { ObjectStore } from "@parfocal/store";
import type { TrainingState } from "./training-state.ts";

/** Version of the layout below; another one is refused, never guessed at. */
const FORMAT = "parfocal-checkpoint/1";

/** What of a state is JSON rather than numbers. */
type CheckpointMeta = Pick<TrainingState, "epoch" | "update" | "selection" | "plateau" | "history">;

/**
 * A training state as one safetensors file: vectors as they are, the rest as JSON in its metadata, with the digest of the
 * job it belongs to. Deterministic; restores bit for bit.
 */
export function encodeCheckpoint(state: TrainingState, jobDigest: string): Uint8Array {
  const tensors = new Map<string, SafetensorsInput>();
  const put = (name: string, data: Float32Array): void => {
    tensors.set(name, { dtype: "F32", shape: [data.length], data });
  };
  put("weights", state.weights);
  if (state.fixed.length > 0) put("fixed", state.fixed);
  if (state.bestWeights !== null) put("bestWeights", state.bestWeights);
  for (const [name, values] of Object.entries(state.slots)) put(`slot.${name}`, values);
  const { epoch, update, selection, plateau, history } = state;
  const meta: CheckpointMeta = { epoch, update, selection, plateau, history };
  return encodeSafetensors(tensors, { format: FORMAT, jobDigest, state: JSON.stringify(meta) });
}

/**
 * The inverse of {@link encodeCheckpoint}.
 *
 * @throws {DomainError} `PRECONDITION_FAILED` when the checkpoint belongs to another job; `UNSUPPORTED_FORMAT` when it is no
 * checkpoint of this version; `CORRUPT` or `TRUNCATED` when it is damaged.
 */
export function parseCheckpoint(bytes: Uint8Array, jobDigest: string): TrainingState {
  const { metadata, tensors } = parseSafetensors(bytes);
  if (metadata.format !== FORMAT) {
    throw new DomainError("UNSUPPORTED_FORMAT", `the object is ${metadata.format ?? "no checkpoint"}, not ${FORMAT}`);
  }
  if (metadata.jobDigest !== jobDigest) {
    const message = `the checkpoint belongs to job ${metadata.jobDigest?.slice(0, 12)}, not to ${jobDigest.slice(0, 12)}`;
    throw new DomainError("PRECONDITION_FAILED", message);
  }
  const vectors = new Map(
    [...tensors].map(([name, tensor]) => [name, Float32Array.from(float32FromTensor(tensor))] as const),
  );
  const slots = [...vectors].filter(([name]) => name.startsWith("slot."));
  return {
    ...parseMeta(metadata.state),
    weights: vectors.get("weights") ?? new Float32Array(),
    fixed: vectors.get("fixed") ?? new Float32Array(),
    bestWeights: vectors.get("bestWeights") ?? null,
    slots: Object.fromEntries(slots.map(([name, values]) => [name.slice("slot.".length), values])),
  };
}

/** The job's digest covers who wrote it, so that fields need no second check beyond being there. */
function parseMeta(json: string | undefined): CheckpointMeta {
  const meta: unknown = json === undefined ? undefined : JSON.parse(json);
  const fields = ["epoch", "update", "selection", "plateau", "history"] as const;
  if (typeof meta === "object" && meta !== null && fields.every((field) => field in meta))
    return meta as CheckpointMeta;
  throw new DomainError("CORRUPT", "the checkpoint's state lacks fields");
}

/** Writes a checkpoint, replacing the one before in a single atomic put. */
export async function writeCheckpoint(
  store: ObjectStore,
  key: string,
  checkpoint: { readonly state: TrainingState; readonly jobDigest: string },
  signal?: AbortSignal,
): Promise<void> {
  await store.put(key, encodeCheckpoint(checkpoint.state, checkpoint.jobDigest), signal ? { signal } : {});
}

/**
 * Reads the checkpoint of a job; null when there is none.
 *
 * @throws {DomainError} As {@link parseCheckpoint}, and what the store throws.
 */
export async function readCheckpoint(
  store: ObjectStore,
  key: string,
  jobDigest: string,
  signal?: AbortSignal,
): Promise<TrainingState | null> {
  try {
    const { bytes } = await store.get(key, signal ? { signal } : {});
    return parseCheckpoint(bytes, jobDigest);
  } catch (error) {
    if (isDomainError(error, "NOT_FOUND")) return null;
    throw error;
  }
}
