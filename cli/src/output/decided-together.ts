import { commonV1 } from "@parfocal/protocol";
import type { BagOutcome } from "../client/predict-bags.ts";
import type { PredictionRow } from "../report/index.ts";
import { plural } from "./units.ts";

const { KIND_JOINED, KIND_MAX, KIND_MEAN, KIND_MIN_LOSS } = commonV1.GroupRule_Kind;

/** Rules for several slides: their words in training, and what they do. */
const RULES: ReadonlyMap<commonV1.GroupRule_Kind, { readonly word: string; readonly meaning: string }> = new Map([
  [KIND_JOINED, { word: "joined", meaning: "all their tiles as one bag" }],
  [KIND_MEAN, { word: "mean", meaning: "the mean of the slides' logits" }],
  [KIND_MAX, { word: "max", meaning: "the greatest of the slides' logits" }],
  [KIND_MIN_LOSS, { word: "min-loss", meaning: "the most positive slide" }],
]);

/** A row of the predictions with all slides that it stands for, in their order; unchanged where that is one. */
export function rowOfSlides(row: PredictionRow, slides: readonly string[]): PredictionRow {
  const [first, ...others] = slides;
  return first === undefined || others.length === 0 ? row : { ...row, slide: first, slides };
}

/** What decides several slides under a rule, by its word in training; undefined for a rule that decides each by itself. */
export function meaningOfRule(word: string): string | undefined {
  return [...RULES.values()].find((rule) => rule.word === word)?.meaning;
}

/** A prediction as programs read it, with the bags and the rule where several were decided together. */
export function unitRecord(record: object, outcome: BagOutcome, others: readonly string[]): object {
  if (others.length === 0) return record;
  const bags = [outcome.bag.name, ...others];
  const rule = outcome.kind === "prediction" ? RULES.get(outcome.response.rule)?.word : undefined;
  return { ...record, bags, ...(rule !== undefined && { rule }) };
}

/** By which rule slides were decided together, in words; a line per rule, none where every slide stood for itself. */
export function ruleLines(outcomes: readonly BagOutcome[]): string[] {
  const rules = outcomes.flatMap((outcome) => (outcome.kind === "prediction" ? [outcome.response.rule] : []));
  return [...RULES].flatMap(([kind, { word, meaning }]) => {
    const count = rules.filter((rule) => rule === kind).length;
    return count === 0 ? [] : [`${plural(count, "patient")} with several slides, decided by ${meaning} (rule ${word})`];
  });
}
