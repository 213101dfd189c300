import { aurocInterval, type MeanInterval, meanInterval } from "./mean-interval.ts";

/** What of a mixer the head sees: the paper's columns "Patch" and "CLS". */
export const OUTPUTS = ["contextualised", "compressed"] as const;

/** Test AUROC of one row for one seed. */
export interface MagnificationResult {
  readonly output: (typeof OUTPUTS)[number];
  readonly model: string;
  readonly seed: number;
  readonly auroc: number;
}

/** The row that is claimed to beat every row without pretraining, seed by seed on average: the paper's recommended setting. */
const CLAIMED = "MEM 0.50";

/** Least mean gain in AUROC. Mixers that learnt nothing differ by chance: the mean of five pairs has a standard deviation of .036. */
const LEAST_GAIN = 0.2;

/** Rows of the table of one output, and whether the claim holds against all rows without pretraining that were run. */
export function magnificationTable(
  output: MagnificationResult["output"],
  results: readonly MagnificationResult[],
): { readonly rows: readonly string[]; readonly allHold: boolean } {
  const own = results.filter((result) => result.output === output);
  const names = [...new Set(own.map(({ model }) => model))];
  const judged = names.map((name) => {
    const aurocs = aurocsOf(own, name);
    const gains = gainsOver(own, name);
    const isCompared = !name.includes("MEM") && gains.length > 1;
    const gain = isCompared ? intervalText(gains, meanInterval) : "";
    const holds = !isCompared || mean(gains) > LEAST_GAIN;
    const verdict = isCompared ? (holds ? "holds" : "FAILS") : "";
    const each = aurocs.map((auroc) => auroc.toFixed(3)).join(" · ");
    return { row: `| ${name} | ${each} | ${intervalText(aurocs, aurocInterval)} | ${gain} | ${verdict} |`, holds };
  });
  const head = [
    `| row | test AUROC by seed | mean (95 % t interval over seeds) | gain of ${CLAIMED} over it, paired | above ${LEAST_GAIN} |`,
    "|---|---|---|---|---|",
  ];
  return { rows: [...head, ...judged.map(({ row }) => row)], allHold: judged.every(({ holds }) => holds) };
}

function aurocsOf(results: readonly MagnificationResult[], name: string): number[] {
  return results
    .filter(({ model }) => model === name)
    .toSorted((a, b) => a.seed - b.seed)
    .map(({ auroc }) => auroc);
}

/** By seed, where both rows were run. */
function gainsOver(results: readonly MagnificationResult[], name: string): number[] {
  return results.flatMap(({ model, seed, auroc }) => {
    const best = results.find((other) => other.model === CLAIMED && other.seed === seed);
    return model === name && best !== undefined ? [best.auroc - auroc] : [];
  });
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function intervalText(values: readonly number[], intervalOf: (values: readonly number[]) => MeanInterval): string {
  if (values.length < 2) return values.map((value) => value.toFixed(3)).join("");
  const { lower, upper } = intervalOf(values);
  return `${mean(values).toFixed(3)} (${lower.toFixed(3)} – ${upper.toFixed(3)})`;
}
