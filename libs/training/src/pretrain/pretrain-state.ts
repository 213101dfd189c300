import { createRng } from "@parfocal/metrics";
import { initialiseParameters } from "@parfocal/models";
import type { ObjectStore } from "@parfocal/store";
import {
  type CheckpointFile,
  encodeCheckpointFile,
  parseCheckpointFile,
  parseCheckpointState,
  readCheckpointBytes,
} from "../checkpoint-file.ts";
import { flattenWeights } from "../flat-layout.ts";
import { assertStateFits } from "../training-state.ts";
import { emptySums, type LossSums } from "./loss-sums.ts";
import type { PretrainReport } from "./pretrain-job.ts";
import type { PretrainPlan } from "./pretrain-plan.ts";

/**
 * Everything a pretraining is, between two updates. Samples, crops, turns and masks of later updates follow from the seed and
 * the count, so no generator has a state to keep. Legend: P trainable numbers.
 */
export interface PretrainState {
  /** Updates made. */
  readonly update: number;
  /** `[P]`. */
  readonly weights: Float32Array<ArrayBuffer>;
  /** `[P]` by slot. */
  readonly slots: Readonly<Record<string, Float32Array<ArrayBuffer>>>;
  /** Losses since the last row of the history. */
  readonly pending: LossSums;
  readonly history: readonly PretrainReport[];
}

type StateMeta = Pick<PretrainState, "update" | "pending" | "history">;

/** Version of the layout below. */
const FORMAT = "parfocal-pretraining/1";

/** The state before the first update. */
export function initialPretrainState({ model, layout, optimiser, spec }: PretrainPlan): PretrainState {
  const values = initialiseParameters(model.parameters, createRng(spec.seed).fork("initial weights"));
  const slots = optimiser.slotNames.map((name) => [name, new Float32Array(layout.nTrainable)] as const);
  return {
    update: 0,
    weights: flattenWeights(layout.trainable, values),
    slots: Object.fromEntries(slots),
    pending: emptySums(model.config.mixer.levels.length),
    history: [],
  };
}

/** Writes a checkpoint, replacing the one before in a single atomic put. */
export async function writePretrainCheckpoint(
  store: ObjectStore,
  key: string,
  { state, jobDigest }: { readonly state: PretrainState; readonly jobDigest: string },
  signal: AbortSignal,
): Promise<void> {
  const { weights, slots, ...meta } = state;
  const named = Object.entries(slots).map(([name, values]) => [`slot.${name}`, values] as const);
  const vectors = { weights, ...Object.fromEntries(named) };
  const file: CheckpointFile = { format: FORMAT, jobDigest, vectors, state: JSON.stringify(meta satisfies StateMeta) };
  await store.put(key, encodeCheckpointFile(file), { signal });
}

/**
 * Reads the checkpoint of a plan's job; null when there is none.
 *
 * @throws {DomainError} As `parseCheckpointFile`; `CORRUPT` when its vectors have other sizes; what the store throws.
 */
export async function readPretrainCheckpoint(
  store: ObjectStore,
  key: string,
  { jobDigest, layout, optimiser }: PretrainPlan,
  signal: AbortSignal,
): Promise<PretrainState | null> {
  const bytes = await readCheckpointBytes(store, key, signal);
  if (bytes === null) return null;
  const file = parseCheckpointFile(bytes, { format: FORMAT, jobDigest });
  const { weights = new Float32Array(), ...others } = file.vectors;
  const slots = optimiser.slotNames.map((name) => [name, others[`slot.${name}`] ?? new Float32Array()] as const);
  const state: PretrainState = {
    ...parseCheckpointState<StateMeta>(file, ["update", "pending", "history"]),
    weights,
    slots: Object.fromEntries(slots),
  };
  assertStateFits({ ...state, fixed: new Float32Array(), bestWeights: null }, layout, optimiser);
  return state;
}
