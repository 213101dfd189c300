import { commonV1 } from "@parfocal/protocol";
import { describe, expect, it } from "vitest";
import { countSeen, countSeenOf, figureLines, seenLines, seenRecord } from "./seen-lines.ts";

const { SEEN_NEITHER, SEEN_TRAINING, SEEN_UNSPECIFIED, SEEN_VALIDATION } = commonV1.Prediction_Seen;

describe("how many slides a model has seen", () => {
  it("is counted of words, of predictions and as the contract has it", () => {
    const counts = { training: 2, validation: 1, neither: 1, unknown: 2 };
    expect(countSeen(["training", "training", "validation", "neither", null, undefined])).toEqual(counts);
    const seen = [SEEN_TRAINING, SEEN_TRAINING, SEEN_VALIDATION, SEEN_NEITHER, SEEN_UNSPECIFIED];
    expect(countSeenOf([...seen.map((each) => ({ seen: each })), {}])).toEqual(counts);
    const wire = { trainingCount: 2, validationCount: 1, neitherCount: 1, unknownCount: 2 };
    expect(seenRecord(wire)).toEqual(counts);
  });

  it("is told of those it was trained and tuned on", () => {
    expect(seenLines({ training: 12, validation: 1, neither: 27, unknown: 0 })).toEqual([
      "12 of 40 slides were in the training part of this model",
      "1 of 40 slides was in the validation part of this model",
    ]);
    expect(seenLines({ training: 0, validation: 0, neither: 3, unknown: 2 })).toEqual([]);
    const wording = { noun: "case", whose: "one of its models" };
    expect(seenLines({ training: 1, validation: 0, neither: 0, unknown: 0 }, wording)).toEqual([
      "1 of 1 case was in the training part of one of its models",
    ]);
  });

  it("says what figures with them are worth, and that it is not known", () => {
    expect(figureLines({ training: 12, validation: 3, neither: 20, unknown: 5 })).toEqual([
      "12 of 40 slides were in the training part of this model: its figures are no test",
      "3 of 40 slides were in the validation part of this model, which chose its epoch and thresholds: its figures are too good",
      "whether this model has learnt from 5 of 40 slides is not known: figures are too good where it has",
    ]);
    expect(figureLines({ training: 0, validation: 0, neither: 40, unknown: 0 })).toEqual([]);
  });
});
