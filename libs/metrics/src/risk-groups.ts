import { DomainError } from "@parfocal/errors";

/**
 * The group of each risk `[N]` among `cuts` (ascending): 0 below the first cut, g where `cuts[g - 1] <= risk < cuts[g]`. Take
 * the cuts from training or validation risks (their median for two groups): cuts of the cases that are then compared flatter.
 *
 * @throws {DomainError} `INVALID_ARGUMENT` unless the cuts ascend.
 */
export function riskGroups(risks: ArrayLike<number>, cuts: readonly number[]): number[] {
  const bad = cuts.findIndex((cut, k) => !(cut > (cuts[k - 1] ?? -Infinity)));
  if (bad >= 0) throw new DomainError("INVALID_ARGUMENT", `cut ${bad} is ${cuts[bad]}; cuts must ascend`);
  return Array.from(risks, (risk) => cuts.filter((cut) => cut <= risk).length);
}
