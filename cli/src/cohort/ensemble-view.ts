import { commonV1 } from "@parfocal/protocol";
import type { EnsemblePrediction } from "@parfocal/service-gateway/ensemble";
import type { SpreadView } from "../report/index.ts";

/** How far the models of an ensemble differ, by class or number, as programs are shown it. */
export function viewSpread({ prediction, spread }: EnsemblePrediction): SpreadView {
  const { probabilities, values } = prediction;
  return {
    ...(probabilities.length > 0 && { probabilities: named(probabilities, spread.probabilities) }),
    ...(spread.calibrated.length > 0 && { calibrated: named(probabilities, spread.calibrated) }),
    ...(values.length > 0 && { values: named(values, spread.values) }),
    ...(spread.risk !== undefined && { risk: spread.risk }),
  };
}

const { SEEN_UNSPECIFIED } = commonV1.Prediction_Seen;

/** An ensemble's prediction as those of models are: it took no time of its own and has no set. */
export function asPrediction({ prediction }: EnsemblePrediction): commonV1.Prediction {
  return { typicality: undefined, seen: SEEN_UNSPECIFIED, ...prediction, engineMs: 0, predictionSet: undefined };
}

function named(
  of: readonly { readonly label: string }[],
  numbers: readonly number[],
): Readonly<Record<string, number>> {
  return Object.fromEntries(of.map(({ label }, k) => [label, numbers[k] ?? Number.NaN]));
}
