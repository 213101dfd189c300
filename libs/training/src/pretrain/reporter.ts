import type { EnginePump } from "./engine-pump.ts";
import { addSums, emptySums, type LossSums, reportOfSums } from "./loss-sums.ts";
import type { PretrainDeps, PretrainEvent, PretrainReport } from "./pretrain-job.ts";
import { type PretrainLength, type PretrainPlan, pretrainLearningRate } from "./pretrain-plan.ts";

/** How often updates are told of, ms. */
const REPORT_MS = 1000;

/** Tells of updates about once a second. */
export interface Reporter {
  /** Takes an update in; a report when one is due and `mayReport`. */
  tick(update: number, sums: LossSums, mayReport: boolean): PretrainEvent | undefined;
  /** The report of a checkpoint, with what was measured there. */
  atCheckpoint(update: number, validation: number | null): PretrainEvent;
}

/** A reporter of a pretraining that begins at `firstUpdate`. The clock decides when reports come and what their rates are. */
export function createReporter(
  plan: PretrainPlan,
  { nowMs }: Pick<PretrainDeps, "nowMs">,
  pump: Pick<EnginePump<unknown>, "takeIdleMs">,
  firstUpdate: number,
): Reporter {
  const { spec, length, model } = plan;
  const nLevels = model.config.mixer.levels.length;
  const startedMs = nowMs();
  let since = { update: firstUpdate, ms: startedMs, sums: emptySums(nLevels) };
  const report = (update: number): PretrainEvent => {
    const ms = nowMs();
    const elapsedMs = Math.max(ms - since.ms, 1e-6);
    const msPerUpdate = (ms - startedMs) / (update - firstUpdate);
    const pace = {
      regionsPerS: ((update - since.update) * spec.batchRegions * 1000) / elapsedMs,
      loaderWait: Math.min(1, pump.takeIdleMs() / elapsedMs),
      etaS: (msPerUpdate * (length.nUpdates - update)) / 1000,
    };
    const event: PretrainEvent = { kind: "report", ...reportAt(plan, since.sums, update), ...pace };
    since = { update, ms, sums: emptySums(nLevels) };
    return event;
  };
  return {
    tick(update, sums, mayReport) {
      since.sums = addSums(since.sums, sums);
      return mayReport && nowMs() - since.ms >= REPORT_MS ? report(update) : undefined;
    },
    atCheckpoint(update, validation) {
      since.sums = { ...since.sums, validation };
      return report(update);
    },
  };
}

/** Whether the history gets a row after an update: at most one for each hundredth, and one at the end. */
export function isRowDue({ historyUpdates, nUpdates }: PretrainLength, update: number): boolean {
  return update % historyUpdates === 0 || update === nUpdates;
}

/** What `sums` say of the updates before `update`. */
export function reportAt({ spec, length, model }: PretrainPlan, sums: LossSums, update: number): PretrainReport {
  const { mixer, contrastive } = model.config;
  return reportOfSums(sums, {
    update,
    nUpdates: length.nUpdates,
    batchRegions: spec.batchRegions,
    learningRate: pretrainLearningRate(spec, length, update - 1),
    levels: mixer.levels,
    ...(contrastive && { contrastiveWeight: contrastive.weight }),
  });
}
