import type { BagRef } from "@parfocal/bags";
import type { Model, Weights } from "@parfocal/models";
import type { BagSourceFacts, TrainDeps } from "../job.ts";
import type { PretrainSpec } from "./pretrain-spec.ts";

/** A region bag with the patient it belongs to. */
export interface RegionBag {
  readonly bag: BagRef;
  /** Opaque key of the patient: bags that share it stay in one part. Absent: a patient of its own. Never printed. */
  readonly patient?: string;
}

/** A pretraining. The same job gives the same weights on the same machine. */
export interface PretrainJob {
  readonly spec: PretrainSpec;
  readonly bags: readonly RegionBag[];
  /** Folder for where the blocks of the bags lie, derived from them; may be emptied at any time. */
  readonly regionsPrefix: string;
  /** Where checkpoints go; a checkpoint of the same job found there is continued. Absent: none are written. */
  readonly checkpointKey?: string;
}

/** What a pretraining runs on; the engine reads nothing from the store. */
export type PretrainDeps = TrainDeps;

/** How one magnification does. */
export interface LevelLoss {
  /** 0 for the coarsest. */
  readonly level: number;
  /** Mean of 1 - cosine over its removed tiles; null when none was removed. */
  readonly loss: number | null;
}

/** How some updates went. */
export interface PretrainReport {
  /** Updates that are done. */
  readonly update: number;
  readonly nUpdates: number;
  readonly regionsSeen: number;
  /** Mean over the updates of what was minimised. */
  readonly loss: number;
  /** Its masked part, by magnification. */
  readonly levels: readonly LevelLoss[];
  /** Its contrastive part, unweighted; null without one. */
  readonly contrastiveLoss: number | null;
  /** Masked loss of the validation part as of the last checkpoint in these updates; null when there was none. */
  readonly validationLoss: number | null;
  /** Step size of the last of them. */
  readonly learningRate: number;
}

/** What only a clock knows of some updates. */
export interface PretrainPace {
  readonly regionsPerS: number;
  /** Share of the time in which the engine had nothing to do because regions were not there. */
  readonly loaderWait: number;
  /** Seconds to the end, estimated from the updates run here. */
  readonly etaS: number;
}

/** What a finished pretraining leaves. */
export interface PretrainedMixer {
  /** The re-embedder without a head. */
  readonly model: Model;
  readonly spec: PretrainSpec;
  /** SHA-256 of the job: specification, bags, parts. */
  readonly jobDigest: string;
  /** SHA-256 of contents and parts of the bags. */
  readonly dataDigest: string;
  /** The encoder's, by name. */
  readonly weights: Weights;
  readonly nUpdates: number;
  /** At most one row for each hundredth of the updates. */
  readonly history: readonly PretrainReport[];
  /** What the bags agree on. */
  readonly source: BagSourceFacts;
}

/** What `pretrain` tells while it runs. */
export type PretrainEvent =
  | {
      readonly kind: "regions";
      readonly nTrain: number;
      readonly nValidation: number;
      readonly nParameters: number;
      readonly nUpdates: number;
      /** Update of the checkpoint that is continued; 0 when pretraining starts. */
      readonly resumedFrom: number;
    }
  /** About once a second and at checkpoints: the updates since the last report. */
  | ({ readonly kind: "report" } & PretrainReport & PretrainPace)
  | { readonly kind: "checkpoint"; readonly update: number }
  /** The engine was lost; pretraining went back to `update`. */
  | { readonly kind: "recovered"; readonly update: number; readonly reason: string }
  | { readonly kind: "done"; readonly pretrained: PretrainedMixer };
