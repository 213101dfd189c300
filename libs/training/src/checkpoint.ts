import type { ObjectStore } from "@parfocal/store";
import {
  encodeCheckpointFile,
  parseCheckpointFile,
  parseCheckpointState,
  readCheckpointBytes,
} from "./checkpoint-file.ts";
import type { TrainingState } from "./training-state.ts";

/** Version of the layout below. */
const FORMAT = "parfocal-checkpoint/1";

/** What of a state is JSON rather than numbers. */
type CheckpointMeta = Pick<TrainingState, "epoch" | "update" | "selection" | "plateau" | "history">;

/** A training state with the digest of the job it belongs to. Deterministic; restores bit for bit. */
export function encodeCheckpoint(state: TrainingState, jobDigest: string): Uint8Array {
  const { epoch, update, selection, plateau, history } = state;
  const meta: CheckpointMeta = { epoch, update, selection, plateau, history };
  const slots = Object.entries(state.slots).map(([name, values]) => [`slot.${name}`, values] as const);
  const vectors = {
    weights: state.weights,
    ...(state.fixed.length > 0 && { fixed: state.fixed }),
    ...(state.bestWeights !== null && { bestWeights: state.bestWeights }),
    ...Object.fromEntries(slots),
  };
  return encodeCheckpointFile({ format: FORMAT, jobDigest, vectors, state: JSON.stringify(meta) });
}

/**
 * The inverse of {@link encodeCheckpoint}.
 *
 * @throws {DomainError} `PRECONDITION_FAILED` when the checkpoint belongs to another job; `UNSUPPORTED_FORMAT` when it is no
 * checkpoint of this version; `CORRUPT` or `TRUNCATED` when it is damaged.
 */
export function parseCheckpoint(bytes: Uint8Array, jobDigest: string): TrainingState {
  const file = parseCheckpointFile(bytes, { format: FORMAT, jobDigest });
  const { vectors } = file;
  const slots = Object.entries(vectors).filter(([name]) => name.startsWith("slot."));
  return {
    ...parseCheckpointState<CheckpointMeta>(file, ["epoch", "update", "selection", "plateau", "history"]),
    weights: vectors.weights ?? new Float32Array(),
    fixed: vectors.fixed ?? new Float32Array(),
    bestWeights: vectors.bestWeights ?? null,
    slots: Object.fromEntries(slots.map(([name, values]) => [name.slice("slot.".length), values])),
  };
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
  const bytes = await readCheckpointBytes(store, key, signal);
  return bytes && parseCheckpoint(bytes, jobDigest);
}
