import type { RunResult } from "@parfocal/engine";
import { floatsFromHostTensor } from "../host-tensor.ts";
import type { LevelLoss, PretrainReport } from "./pretrain-job.ts";

/** Losses of some micro-batches, added up in f64 in their order; JSON, so that a checkpoint carries them on. */
export interface LossSums {
  readonly nBatches: number;
  readonly masked: number;
  readonly contrastive: number;
  /** `[L]`, by magnification: sum of 1 - cosine, and of how many removed tiles. */
  readonly levelSums: readonly number[];
  readonly levelCounts: readonly number[];
  /** Masked loss of the validation part, the last that was measured. */
  readonly validation: number | null;
}

/** Before the first micro-batch, for `nLevels` magnifications. */
export function emptySums(nLevels: number): LossSums {
  const zeros = new Array<number>(nLevels).fill(0);
  return { nBatches: 0, masked: 0, contrastive: 0, levelSums: zeros, levelCounts: zeros, validation: null };
}

/** The outputs of one micro-batch as sums. */
export function sumsOfResult({ outputs }: RunResult): LossSums {
  const values = (name: string) => Array.from(floatsFromHostTensor(outputs[name], name));
  return {
    nBatches: 1,
    masked: values("maskedLoss")[0] ?? Number.NaN,
    contrastive: outputs.contrastiveLoss === undefined ? 0 : (values("contrastiveLoss")[0] ?? Number.NaN),
    levelSums: values("levelSums"),
    levelCounts: values("levelCounts"),
    validation: null,
  };
}

/** Both together. */
export function addSums(a: LossSums, b: LossSums): LossSums {
  const added = (x: readonly number[], y: readonly number[]) => x.map((value, i) => value + (y[i] ?? 0));
  return {
    nBatches: a.nBatches + b.nBatches,
    masked: a.masked + b.masked,
    contrastive: a.contrastive + b.contrastive,
    levelSums: added(a.levelSums, b.levelSums),
    levelCounts: added(a.levelCounts, b.levelCounts),
    validation: b.validation ?? a.validation,
  };
}

/** Where a report stands. */
export interface ReportPlace {
  /** Updates that are done. */
  readonly update: number;
  readonly nUpdates: number;
  readonly batchRegions: number;
  readonly learningRate: number;
  /** Magnifications that are looked at, by the place of their sums. */
  readonly levels: readonly number[];
  /** Weight of the contrastive loss; absent without one. */
  readonly contrastiveWeight?: number;
}

/** What sums say of the updates that they are of; a magnification of which nothing was removed has no loss. */
export function reportOfSums(sums: LossSums, place: ReportPlace): PretrainReport {
  const { update, nUpdates, learningRate, contrastiveWeight } = place;
  const masked = sums.masked / sums.nBatches;
  const contrastive = contrastiveWeight === undefined ? null : sums.contrastive / sums.nBatches;
  return {
    update,
    nUpdates,
    regionsSeen: update * place.batchRegions,
    loss: masked + (contrastiveWeight ?? 0) * (contrastive ?? 0),
    levels: place.levels.map((level, i): LevelLoss => {
      const count = sums.levelCounts[i] ?? 0;
      return { level, loss: count === 0 ? null : (sums.levelSums[i] ?? 0) / count };
    }),
    contrastiveLoss: contrastive,
    validationLoss: sums.validation,
    learningRate,
  };
}
