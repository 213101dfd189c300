import type { BagRef } from "@parfocal/bags";
import type { Engine, StepEngine } from "@parfocal/engine";
import type { EvaluationReport, RegressionReport } from "@parfocal/metrics";
import type { Model, Weights } from "@parfocal/models";
import type { ObjectStore } from "@parfocal/store";
import type { Label } from "./label.ts";
import type { ModelCalibration } from "./package/calibration.ts";
import type { SeenBags } from "./package/seen-bags.ts";
import type { SurvivalFacts } from "./package/survival-facts.ts";
import type { Typicality } from "./package/typicality.ts";
import type { ScoreName } from "./score.ts";
import type { TrainSpec } from "./train-spec.ts";

/** What a bag is used for. */
export type Part = "train" | "validation" | "test";

/** A bag with what is known of it. */
export interface LabelledBag {
  readonly bag: BagRef;
  readonly label: Label;
  /** Opaque key of the patient: bags that share it stay in one part. Absent: a patient of its own. Never printed. */
  readonly patient?: string;
  /** Opaque key of the group that has the label, within the patient; absent: the patient's. Needs a rule for groups. */
  readonly group?: string;
  /** Fixes the part. Either every bag has one or none has. */
  readonly part?: Part;
}

/** A training. The same job gives the same weights on the same machine. */
export interface TrainJob {
  readonly spec: TrainSpec;
  readonly bags: readonly LabelledBag[];
  /** Where checkpoints go; a checkpoint of the same job found there is continued. Absent: none are written. */
  readonly checkpointKey?: string;
  /** The model whose re-embedder training starts from; absent: from fresh weights. */
  readonly startFrom?: StartFrom;
}

/** A published model whose re-embedder a training starts from, such as a pretrained mixer. */
export interface StartFrom {
  /** Folder of the package, without a trailing slash. */
  readonly prefix: string;
  /** SHA-256 of its manifest. */
  readonly digest: string;
}

/** What a training runs on. */
export interface TrainDeps {
  readonly engine: Engine;
  /** Computes the steps; absent: the engine. What is reported and published is scored by the engine, which serves it. */
  readonly trainer?: StepEngine;
  /** The store that the bags' keys and the checkpoint belong to; the engine reads the same one. */
  readonly store: ObjectStore;
  /** A clock in milliseconds for rates, the estimate, how many steps travel together and when checkpoints are due. */
  nowMs(): number;
  /**
   * The state is taken out, written and told of when the last time is so many milliseconds ago, at the end of an epoch: epochs of a few
   * small bags share a checkpoint, which may take as long as they do. 0: after each epoch. Absent: 1 000.
   */
  readonly checkpointMs?: number;
  /** Hears of each bag that loses tiles, as they share a cell with others, how many. */
  readonly onThinned?: (droppedCount: number) => void;
  /** Unique among trainings that share the engine; keeps their state apart. */
  readonly name: string;
}

/** What computes the steps of a training. */
export function stepEngineOf({ engine, trainer }: Pick<TrainDeps, "engine" | "trainer">): StepEngine {
  return trainer ?? engine;
}

/** How an epoch went. */
export interface EpochReport {
  /** From 1. */
  readonly epoch: number;
  readonly nEpochs: number;
  /** Mean over bags, or groups, of the loss with dropout, smoothing and class weights. */
  readonly trainLoss: number;
  /** Mean over bags, or groups by the bag that speaks for each, of the plain loss; null without a validation part. */
  readonly validationLoss: number | null;
  /** Macro over classes; null without a validation part, when every class lacks positives or negatives, and in tasks that have none. */
  readonly validationAuroc: number | null;
  /** The figure of the task, see `scoreName`; absent without a validation part. */
  readonly validationScore?: { readonly name: ScoreName; readonly value: number | null };
  /** Step size of the epoch's last update. */
  readonly learningRate: number;
}

/** Whose censoring weighs figures: that of the cases that were learnt from, or that of the cases that are evaluated. */
export type CensoringSource = "training" | "evaluated";

/** How a model does on a part. With a rule for groups the cases are groups, decided by the rule. */
export interface PartReport
  extends Pick<EvaluationReport, "nCases" | "nPatients" | "metrics" | "classes" | "confusion"> {
  /** Regression: by number. */
  readonly targets?: RegressionReport["targets"];
  /** Survival and Cox. */
  readonly nEvents?: number;
  /** Survival and Cox: whose censoring weighs Uno's index and the Brier score. */
  readonly censoring?: CensoringSource;
  /** Present when the cases are groups. */
  readonly groups?: {
    readonly nBags: number;
    /** Of `min-loss`: the same with the mean of a group's probabilities in place of the greatest, by the same thresholds. */
    readonly ofMeans?: PartReport;
  };
}

/** What the model says of one bag of the job. */
export interface ScoredBag {
  /** Index into the job's bags. */
  readonly index: number;
  /** `[K]`. */
  readonly logits: readonly number[];
  /** Probabilities `[C]`, values, survival or risk: see `answerName`. */
  readonly answer: readonly number[];
}

/** What a finished training leaves. */
export interface TrainedModel {
  readonly model: Model;
  readonly spec: TrainSpec;
  /** SHA-256 of the job: specification, bags, labels, parts, and where it started from. */
  readonly jobDigest: string;
  /** SHA-256 of the manifest of the model whose re-embedder it started from; absent: from fresh weights. */
  readonly startDigest?: string;
  /** SHA-256 of contents, labels and parts of the bags. */
  readonly dataDigest: string;
  readonly weights: Weights;
  /** Epoch whose weights these are. */
  readonly epoch: number;
  readonly history: readonly EpochReport[];
  /** One for binary, one per class for multi-label, none for multi-class. Chosen on the validation part. */
  readonly thresholds: readonly number[];
  /** Whether the thresholds came from the validation part; 0.5 otherwise. */
  readonly areThresholdsFitted: boolean;
  /** Fitted on the validation part; absent without one. */
  readonly calibration?: ModelCalibration;
  /** What the training part's bags are like; absent where it was not measured. */
  readonly typicality?: Typicality;
  /** Which bags it has learnt from and was chosen by, and those of the models before it. */
  readonly seen: SeenBags;
  /** Survival and Cox: of the training part's events. */
  readonly survival?: SurvivalFacts;
  readonly validation: PartReport | null;
  readonly test: PartReport | null;
  readonly testPredictions: readonly ScoredBag[];
  /** What the training bags agree on. */
  readonly source: BagSourceFacts;
}

/** What the bags of a job agree on; absent: none of them says. */
export interface BagSourceFacts {
  readonly encoder?: string;
  readonly tilePx?: number;
  readonly mpp?: number;
  /** Distance between neighbouring tiles, in pixels as `tilePx` counts them; told for models that look at where tiles lie. */
  readonly stridePx?: number;
  /** The same in level-0 pixels, of bags that do not tell how these relate to those of the tile. */
  readonly level0StridePx?: number;
  /** Of region bags the magnifications (0: the coarsest) that are made up, of those that the model looks at: `none`, or such as `0,1`. */
  readonly surrogateLevels?: string;
}

/** What `train` tells while it runs. */
export type TrainEvent =
  | {
      readonly kind: "split";
      readonly nTrain: number;
      readonly nValidation: number;
      readonly nTest: number;
      readonly nParameters: number;
      /** Epoch of the checkpoint that is continued; 0 when training starts. */
      readonly resumedFrom: number;
    }
  /** Within an epoch, at most a few times a second. */
  | { readonly kind: "progress"; readonly epoch: number; readonly nEpochs: number; readonly fraction: number }
  | ({ readonly kind: "epoch"; readonly etaS: number; readonly bagsPerS: number } & EpochReport)
  | { readonly kind: "checkpoint"; readonly epoch: number }
  /** The engine was lost; training went back to the end of `epoch`. */
  | { readonly kind: "recovered"; readonly epoch: number; readonly reason: string }
  | { readonly kind: "done"; readonly trained: TrainedModel };
