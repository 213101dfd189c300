import type { RunResult } from "@parfocal/engine";
import { DomainError } from "@parfocal/errors";
import { type CalibratedAnswer, calibrate } from "./calibration.ts";
import type { LoadedModel, LoadedTypicality } from "./load-model.ts";
import { judgeBag, type TypicalityVerdict } from "./typicality.ts";
import { momentsFrom } from "./typicality-runs.ts";

/** How far a prediction may be trusted; absent fields were not published with the model. */
export interface Certainty {
  readonly calibrated?: CalibratedAnswer & { readonly coverage: number; readonly isClassConditional: boolean };
  readonly typicality?: BagTypicality;
}

/** How a bag compares with the training bags. */
interface BagTypicality extends Pick<TypicalityVerdict, "distance" | "percentile"> {
  readonly isUnlike: boolean;
  /** In words; empty for bags that are not unlike. */
  readonly reason: string;
}

/**
 * What the model's package says of an `answer` and of the bag it is about. `measured` is the result of the run that measures;
 * absent: nothing is said of the bag.
 *
 * @throws {DomainError} `PRECONDITION_FAILED` for a bag unlike the training bags when the model refuses those.
 */
export function certaintyOf(
  loaded: CertainModel,
  answer: readonly number[],
  measured: Pick<RunResult, "outputs"> | undefined,
): Certainty {
  const certainty = describeCertainty(loaded, answer, measured);
  const { typicality } = certainty;
  if (typicality?.isUnlike === true && loaded.usual?.action === "refuse") throw unlike(typicality);
  return certainty;
}

type CertainModel = Pick<LoadedModel, "model" | "manifest" | "usual">;

/** The same for who evaluates: a bag that would be refused is told as what it is. */
export function describeCertainty(
  { model, manifest, usual }: CertainModel,
  answer: readonly number[],
  measured: Pick<RunResult, "outputs"> | undefined,
): Certainty {
  const { calibration } = manifest;
  return {
    ...(calibration && {
      calibrated: {
        ...calibrate(model.config.task, calibration, answer),
        coverage: calibration.coverage,
        isClassConditional: calibration.isClassConditional,
      },
    }),
    ...(usual && measured && { typicality: typicalityOf(usual, measured) }),
  };
}

/** Of what several bags are like, what the most unusual one is; undefined where none was measured. */
export function mostUnusual(bags: readonly Certainty[]): Certainty["typicality"] {
  const [first] = bags.flatMap(({ typicality }) => typicality ?? []).toSorted((a, b) => b.percentile - a.percentile);
  return first;
}

function typicalityOf(
  { typicality, percentile: limit }: LoadedTypicality,
  measured: Pick<RunResult, "outputs">,
): BagTypicality {
  const { distance, percentile, furthest } = judgeBag(typicality, momentsFrom(measured.outputs));
  const isUnlike = percentile > limit || (limit === 100 && percentile === 100);
  const what = furthest === "mean" ? "mean values" : "spread";
  const reason = `the ${what} of its features is ${distance.toFixed(1)} times as far off as the median training bag's, further than ${percentile.toFixed(1)} % of the training bags`;
  return { distance, percentile, isUnlike, reason: isUnlike ? reason : "" };
}

function unlike({ reason, percentile }: BagTypicality): DomainError {
  return new DomainError("PRECONDITION_FAILED", `the bag is unlike those the model has learnt from: ${reason}`, {
    details: { precondition: "TYPICAL_BAG", subject: "bag", percentile: percentile.toFixed(1) },
  });
}
