import { commonV1 } from "@parfocal/protocol";
import type { PredictionView } from "../cohort/prediction-view.ts";

/**
 * A line of the predictions that a cross-validation leaves; beside these names it has `probability_<class>`, `threshold_<class>` and
 * `value_<name>`.
 */
export interface FoldLine extends Readonly<Record<string, unknown>> {
  readonly repeat: number;
  readonly fold: number;
  readonly bag: string;
  readonly patient: string | null;
  readonly decision?: string | null;
  readonly risk?: number | null;
}

/** What the line says, for people and as the contract has it. */
export function viewFoldLine(line: FoldLine): {
  readonly view: PredictionView;
  readonly prediction: commonV1.Prediction;
} {
  const probabilities = numbersOf(line, "probability_");
  const thresholds = numbersOf(line, "threshold_");
  const values = numbersOf(line, "value_");
  const { decision, risk } = line;
  const all = Object.values(thresholds);
  const prediction = commonV1.Prediction.fromPartial({
    probabilities: Object.entries(probabilities).map(([label, probability]) => ({
      label,
      probability,
      ...(thresholds[label] === undefined ? {} : { threshold: thresholds[label] }),
    })),
    decision: (decision ?? "").split(";").filter((name) => name !== ""),
    values: Object.entries(values).map(([label, value]) => ({ label, value })),
    ...(typeof risk === "number" && { survival: { risk, curve: curveOf(line) } }),
  });
  const view: PredictionView = {
    probabilities,
    decision: decision ?? "",
    threshold: all.length === 1 ? (all[0] ?? null) : null,
    ...(Object.keys(values).length > 0 && { values }),
    ...(prediction.survival && { survival: prediction.survival }),
  };
  return { view, prediction };
}

/** Curves are text in tables. */
function curveOf({ survival }: FoldLine): commonV1.SurvivalPoint[] {
  return typeof survival === "string" && survival !== "" ? (JSON.parse(survival) as commonV1.SurvivalPoint[]) : [];
}

function numbersOf(line: FoldLine, prefix: string): Record<string, number> {
  const entries = Object.entries(line).filter(
    (entry): entry is [string, number] => entry[0].startsWith(prefix) && typeof entry[1] === "number",
  );
  return Object.fromEntries(entries.map(([name, value]) => [name.slice(prefix.length), value]));
}
