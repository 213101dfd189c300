import { commonV1 } from "@parfocal/protocol";

const { SEEN_NEITHER, SEEN_TRAINING, SEEN_UNSPECIFIED, SEEN_VALIDATION } = commonV1.Prediction_Seen;

/** The worst first; an unknown slide may be any. */
const ORDER = [SEEN_TRAINING, SEEN_VALIDATION, SEEN_UNSPECIFIED, SEEN_NEITHER];

/** What is told of several slides, or of several models, together: the first of training, validation, unknown and neither that holds for any. */
export function worstSeen(
  predictions: readonly Partial<Pick<commonV1.Prediction, "seen">>[],
): commonV1.Prediction_Seen {
  const found = new Set(predictions.map(({ seen = SEEN_UNSPECIFIED }) => seen));
  return ORDER.find((seen) => found.has(seen)) ?? SEEN_UNSPECIFIED;
}

/** Which part of a model's training had a slide, as tables and programs are told. */
export type SeenWord = "training" | "validation" | "neither";

/** The word for it; undefined: not known. */
export function seenWord(seen: commonV1.Prediction_Seen | undefined): SeenWord | undefined {
  if (seen === SEEN_TRAINING) return "training";
  if (seen === SEEN_VALIDATION) return "validation";
  return seen === SEEN_NEITHER ? "neither" : undefined;
}

/** The reverse of {@link seenWord}; what is no word is not known. */
export function seenOfWord(word: unknown): commonV1.Prediction_Seen {
  return [SEEN_TRAINING, SEEN_VALIDATION, SEEN_NEITHER].find((seen) => seenWord(seen) === word) ?? SEEN_UNSPECIFIED;
}
