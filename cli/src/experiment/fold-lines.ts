import { commonV1 } from "@parfocal/protocol";
import { seenOfWord, seenWord } from "@parfocal/service-gateway/seen";
import { viewCertainty } from "../cohort/certainty-view.ts";
import type { PredictionView } from "../cohort/prediction-view.ts";

/**
 * A line of the predictions that a cross-validation leaves; beside these names it has `probability_<class>`, `threshold_<class>`,
 * `calibrated_<class>`, and `value_<name>` with `lower_<name>` and `upper_<name>`.
 */
export interface FoldLine extends Readonly<Record<string, unknown>> {
  readonly repeat: number;
  readonly fold: number;
  readonly bag: string;
  readonly patient: string | null;
  readonly decision?: string | null;
  readonly risk?: number | null;
  /** Classes, a semicolon between; null where nothing is said. */
  readonly prediction_set?: string | null;
  readonly absent_set?: string | null;
  readonly coverage?: number | null;
  readonly typicality_distance?: number | null;
  readonly typicality_percentile?: number | null;
  readonly is_unlike?: boolean | null;
  /** Of trainings that started from another model: what that one had; null where it does not say. */
  readonly seen?: string | null;
}

/** What the line says, for people and as the contract has it. */
export function viewFoldLine(line: FoldLine): {
  readonly view: PredictionView;
  readonly prediction: commonV1.Prediction;
} {
  const probabilities = numbersOf(line, "probability_");
  const thresholds = numbersOf(line, "threshold_");
  const calibrated = numbersOf(line, "calibrated_");
  const values = numbersOf(line, "value_");
  const [lower, upper] = [numbersOf(line, "lower_"), numbersOf(line, "upper_")];
  const coverage = line.coverage ?? undefined;
  const { decision, risk } = line;
  const all = [...thresholds.values()];
  const prediction = commonV1.Prediction.fromPartial({
    probabilities: [...probabilities].map(([label, probability]) => ({
      label,
      probability,
      ...(thresholds.has(label) && { threshold: thresholds.get(label) }),
      ...(calibrated.has(label) && { calibrated: calibrated.get(label) }),
    })),
    decision: namesOf(decision),
    values: [...values].map(([label, value]) => {
      const ends = { lower: lower.get(label), upper: upper.get(label) };
      return { label, value, ...ends, coverage: ends.lower === undefined ? undefined : coverage };
    }),
    ...certaintyOf(line),
    seen: seenOfWord(line.seen),
    ...(typeof risk === "number" && { survival: { risk, curve: curveOf(line) } }),
  });
  const seen = seenWord(prediction.seen);
  const view: PredictionView = {
    probabilities: Object.fromEntries(probabilities),
    decision: namesOf(decision).join("; "),
    threshold: all.length === 1 ? (all[0] ?? null) : null,
    ...(values.size > 0 && { values: Object.fromEntries(values) }),
    ...(prediction.survival && { survival: prediction.survival }),
    ...viewCertainty(prediction),
    ...(seen && { seen }),
  };
  return { view, prediction };
}

/** A set that rules nothing in is empty text; no set is no text. */
function certaintyOf(line: FoldLine): Parameters<typeof commonV1.Prediction.fromPartial>[0] {
  const { prediction_set: set, absent_set: absent, coverage, is_unlike: isUnlike } = line;
  const { typicality_distance: distance, typicality_percentile: percentile } = line;
  return {
    ...(typeof set === "string" &&
      typeof coverage === "number" && {
        predictionSet: { labels: namesOf(set), absentLabels: namesOf(absent), coverage },
      }),
    ...(typeof percentile === "number" && {
      typicality: { percentile, distance: distance ?? Number.NaN, isUnlike: isUnlike ?? false },
    }),
  };
}

function namesOf(text: string | null | undefined): string[] {
  return (text ?? "").split(";").filter((name) => name !== "");
}

/** Curves are text in tables. */
function curveOf({ survival }: FoldLine): commonV1.SurvivalPoint[] {
  return typeof survival === "string" && survival !== "" ? (JSON.parse(survival) as commonV1.SurvivalPoint[]) : [];
}

/** Numbers by name, in the order of the line: an object would put names that look like whole numbers first. */
function numbersOf(line: FoldLine, prefix: string): ReadonlyMap<string, number> {
  const entries = Object.entries(line).filter(
    (entry): entry is [string, number] => entry[0].startsWith(prefix) && typeof entry[1] === "number",
  );
  return new Map(entries.map(([name, value]) => [name.slice(prefix.length), value]));
}
