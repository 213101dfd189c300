import type { PlantedSignal } from "../../test/lib/planted-neighbours.ts";
import { CLAIMS } from "./claims.ts";
import { aurocInterval } from "./mean-interval.ts";

/** Test AUROC of one training. */
export interface ClaimResult {
  readonly signal: PlantedSignal;
  readonly model: string;
  readonly seed: number;
  readonly auroc: number;
}

/** Rows of the table of one signal, and whether all of its claims hold. */
export function claimTable(
  signal: PlantedSignal,
  results: readonly ClaimResult[],
): { readonly rows: readonly string[]; readonly allHold: boolean } {
  const judged = CLAIMS.filter((claim) => claim.signal === signal).map((claim) => {
    const own = results.filter((result) => result.signal === signal && result.model === claim.model);
    const aurocs = own.toSorted((a, b) => a.seed - b.seed).map(({ auroc }) => auroc);
    const { mean, lower, upper } = aurocInterval(aurocs);
    const holds = claim.holds(mean);
    const interval = `${mean.toFixed(3)} (${lower.toFixed(3)} – ${upper.toFixed(3)})`;
    const each = aurocs.map((auroc) => auroc.toFixed(3)).join(" · ");
    return { row: `| ${claim.model} | ${each} | ${interval} | ${claim.says} | ${holds ? "holds" : "FAILS"} |`, holds };
  });
  const head = [
    "| model | test AUROC by seed | mean (95 % t interval over seeds) | claim | |",
    "|---|---|---|---|---|",
  ];
  return { rows: [...head, ...judged.map(({ row }) => row)], allHold: judged.every(({ holds }) => holds) };
}
