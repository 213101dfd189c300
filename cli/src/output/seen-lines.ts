import type { commonV1 } from "@parfocal/protocol";
import { type SeenWord, seenWord } from "@parfocal/service-gateway/seen";
import { plural } from "./units.ts";

/** How many slides which part of a model's training had, by the words of tables, as programs are shown it. */
export type SeenRecord = Readonly<Record<SeenWord | "unknown", number>>;

/** Counts of what is told of each slide; undefined and null: not known. */
export function countSeen(slides: readonly (SeenWord | null | undefined)[]): SeenRecord {
  const countOf = (wanted: SeenWord) => slides.filter((seen) => seen === wanted).length;
  const [training, validation, neither] = [countOf("training"), countOf("validation"), countOf("neither")];
  return { training, validation, neither, unknown: slides.length - training - validation - neither };
}

/** The same of predictions. */
export function countSeenOf(predictions: readonly Partial<Pick<commonV1.Prediction, "seen">>[]): SeenRecord {
  return countSeen(predictions.map(({ seen }) => seenWord(seen)));
}

/** Counts of the contract. */
export function seenRecord(counts: commonV1.SeenCounts): SeenRecord {
  const { trainingCount: training, validationCount: validation, neitherCount: neither, unknownCount } = counts;
  return { training, validation, neither, unknown: unknownCount };
}

/** Of what and of whom is spoken. */
interface Wording {
  /** What was counted. Default: slide. */
  readonly noun?: string;
  /** Whose training it was. Default: this model. */
  readonly whose?: string;
}

/** How many slides a model was trained or tuned on, in words; none where it was not, or does not say. */
export function seenLines(counts: SeenRecord, wording: Wording = {}): string[] {
  return [...partLine("training", counts, wording, ""), ...partLine("validation", counts, wording, "")];
}

/**
 * What is wrong with figures of these slides, in words: that some trained the model, or chose its epoch and thresholds, or that this is not
 * known; none where the model had none of them.
 */
export function figureLines(counts: SeenRecord, wording: Wording = {}): string[] {
  const { noun = "slide", whose = "this model" } = wording;
  const { unknown } = counts;
  return [
    ...partLine("training", counts, wording, ": its figures are no test"),
    ...partLine("validation", counts, wording, ", which chose its epoch and thresholds: its figures are too good"),
    ...(unknown > 0
      ? [
          `whether ${whose} has learnt from ${unknown} of ${plural(totalOf(counts), noun)} is not known: figures are too good where it has`,
        ]
      : []),
  ];
}

function partLine(
  part: "training" | "validation",
  counts: SeenRecord,
  { noun = "slide", whose = "this model" }: Wording,
  consequence: string,
): string[] {
  const count = counts[part];
  if (count === 0) return [];
  const share = `${count} of ${plural(totalOf(counts), noun)} ${count === 1 ? "was" : "were"}`;
  return [`${share} in the ${part} part of ${whose}${consequence}`];
}

function totalOf({ training, validation, neither, unknown }: SeenRecord): number {
  return training + validation + neither + unknown;
}
