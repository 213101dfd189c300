import type { commonV1, gatewayV1 } from "@parfocal/protocol";
import { type SeenWord, seenWord } from "@parfocal/service-gateway/seen";
import type { PredictionRow } from "../report/index.ts";
import { type CertaintyView, viewCertainty } from "./certainty-view.ts";
import type { LabelRow } from "./parse-labels.ts";

/** What a model says of a bag, as programs are shown it. */
export interface PredictionView extends CertaintyView {
  /** By class. */
  readonly probabilities: Readonly<Record<string, number>>;
  /** The decided class; multi-label: all decided classes. */
  readonly decision: string | readonly string[];
  /** What decided: binary one number, multi-label one by class, else null (the most probable class). */
  readonly threshold: number | Readonly<Record<string, number>> | null;
  /** Regression: by name. */
  readonly values?: Readonly<Record<string, number>>;
  /** Survival and Cox. */
  readonly survival?: commonV1.SurvivalPrediction;
  /** Which part of the model's training had the slide; absent: not known. */
  readonly seen?: SeenWord;
}

/** A prediction of the contract in plain words. `isMultilabel`: decisions are lists. */
export function viewPrediction(prediction: commonV1.Prediction, isMultilabel: boolean): PredictionView {
  const { probabilities, decision, values, survival } = prediction;
  const seen = seenWord(prediction.seen);
  const thresholds = probabilities.flatMap(({ label, threshold }): [string, number][] =>
    threshold === undefined ? [] : [[label, threshold]],
  );
  return {
    probabilities: Object.fromEntries(probabilities.map(({ label, probability }) => [label, probability])),
    decision: isMultilabel ? decision : (decision[0] ?? ""),
    threshold: isMultilabel ? Object.fromEntries(thresholds) : (thresholds.at(-1)?.[1] ?? null),
    ...(values.length > 0 && { values: Object.fromEntries(values.map(({ label, value }) => [label, value])) }),
    ...(survival && { survival }),
    ...viewCertainty(prediction),
    ...(seen && { seen }),
  };
}

/** A row of the predictions table. */
export function predictionRowOf(
  bag: gatewayV1.Bag,
  model: string,
  outcome:
    | { readonly kind: "prediction"; readonly view: PredictionView }
    | { readonly kind: "error"; readonly code: string; readonly message: string },
  truth: LabelRow | undefined,
): PredictionRow {
  const patient = truth?.patient ?? (bag.info?.patientId || null);
  const base = {
    ...{ slide: slideOf(bag), patient, truth: truth?.labels.join("; ") ?? null, model },
    ...(truth !== undefined && truth.unknownLabels.length > 0 && { unknown: truth.unknownLabels }),
    ...(truth?.values && { trueValues: truth.values }),
    ...(truth?.survival && { outcome: truth.survival }),
  };
  if (outcome.kind === "error") {
    const { code, message } = outcome;
    return { ...base, decision: null, probabilities: null, error: { code, message } };
  }
  const { probabilities, decision, threshold, values, survival, seen, ...certainty } = outcome.view;
  return {
    ...base,
    probabilities,
    decision: typeof decision === "string" ? decision : decision.join("; "),
    threshold: typeof threshold === "number" ? threshold : null,
    ...(values && { values }),
    ...(survival && { risk: survival.risk }),
    ...(seen && { seen }),
    ...(Object.keys(certainty).length > 0 && { certainty }),
  };
}

/** The slide of a bag, or the beginning of its digest. */
export function slideOf({ name, info }: gatewayV1.Bag): string {
  return info?.slideId || name.slice(name.lastIndexOf("/") + 1).slice(0, 12);
}
