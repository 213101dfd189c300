import type { gatewayV1 } from "@parfocal/protocol";
import type { TrainingRun } from "../report/index.ts";

type Epoch = gatewayV1.Model["history"][number];

/** How scores of tasks are called. */
const SCORE_NAMES: Readonly<Record<string, string>> = {
  auroc: "AUROC",
  quadratic_kappa: "quadratic kappa",
  r2: "R²",
  c_index: "C-index",
};

/**
 * The course of a training, with the epoch whose weights were published: the best score, the lowest loss among equals, or the last
 * one.
 */
export function trainingRun(
  { history }: Pick<gatewayV1.Model, "history">,
  { name = "training", isBest = true }: { readonly name?: string; readonly isBest?: boolean } = {},
): TrainingRun {
  const kept = isBest ? bestEpoch(history) : history.at(-1);
  const score = history.find(({ scoreName }) => scoreName !== "")?.scoreName ?? "auroc";
  return {
    name,
    scoreName: SCORE_NAMES[score] ?? score,
    epochs: history.map((epoch) => ({
      epoch: epoch.epoch,
      trainLoss: epoch.trainLoss,
      validationLoss: epoch.validationLoss ?? null,
      validationScore: scoreOf(epoch) ?? null,
    })),
    ...(kept === undefined ? {} : { keptEpoch: kept.epoch }),
  };
}

function bestEpoch(history: readonly Epoch[]): Epoch | undefined {
  return history
    .filter((epoch) => scoreOf(epoch) !== undefined)
    .toSorted(
      (a, b) =>
        (scoreOf(b) ?? 0) - (scoreOf(a) ?? 0) || (a.validationLoss ?? 0) - (b.validationLoss ?? 0) || a.epoch - b.epoch,
    )[0];
}

/** Models from before there were other scores have the AUROC alone. */
function scoreOf({ validationScore, validationAuroc }: Epoch): number | undefined {
  return validationScore ?? validationAuroc;
}
