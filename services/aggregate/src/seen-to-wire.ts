import { commonV1 } from "@parfocal/protocol";
import type { SeenPart } from "@parfocal/training";

const { SEEN_NEITHER, SEEN_TRAINING, SEEN_UNSPECIFIED, SEEN_VALIDATION } = commonV1.Prediction_Seen;
const SEEN = {
  training: SEEN_TRAINING,
  validation: SEEN_VALIDATION,
  neither: SEEN_NEITHER,
  unknown: SEEN_UNSPECIFIED,
} as const satisfies Readonly<Record<SeenPart, commonV1.Prediction_Seen>>;

/** Which part of a model's training had a bag, as the contract shows it. */
export function seenToWire(seen: SeenPart): commonV1.Prediction_Seen {
  return SEEN[seen];
}

/** How many predictions are of what which part of the model's training had. */
export function countSeen(predictions: readonly Pick<commonV1.Prediction, "seen">[]): commonV1.SeenCounts {
  const countOf = (wanted: commonV1.Prediction_Seen) => predictions.filter(({ seen }) => seen === wanted).length;
  const [trainingCount, validationCount] = [countOf(SEEN_TRAINING), countOf(SEEN_VALIDATION)];
  const neitherCount = countOf(SEEN_NEITHER);
  const unknownCount = predictions.length - trainingCount - validationCount - neitherCount;
  return { trainingCount, validationCount, neitherCount, unknownCount };
}
