import type { gatewayV1 } from "@parfocal/protocol";
import { isRegionBag, suitableBags } from "../cohort/region-bags.ts";
import { UsageError } from "../exit-codes.ts";
import type { CommandContext } from "../run-command.ts";
import type { GatewayClients } from "./clients.ts";
import { listAllBags } from "./list-all.ts";
import { resolveBags } from "./resolve-bags.ts";

/**
 * The bags named, or all that a model can take. What names none is told at once and counted.
 *
 * @throws {UsageError} when none is named and the project has none.
 */
export async function chosenBags(
  { output, parent, signal }: CommandContext,
  clients: GatewayClients,
  names: readonly string[],
  wantsRegions: boolean,
): Promise<{ readonly bags: readonly gatewayV1.Bag[]; readonly nMissing: number }> {
  if (names.length === 0) {
    const all = suitableBags(await listAllBags(clients, parent, signal), wantsRegions);
    const bags = wantsRegions ? all.filter(isRegionBag) : all;
    if (bags.length === 0) throw new UsageError(`${parent} has no ${wantsRegions ? "region " : ""}bags`);
    return { bags, nMissing: 0 };
  }
  const resolved = await resolveBags(clients, names, { parent, signal, wantsRegions });
  const missing = resolved.filter((entry) => entry.kind === "error");
  for (const { named, code, message } of missing) {
    output.record({ bag: named, error: { code, message } });
    output.note(`failed: ${named}: ${code}: ${message}`);
  }
  return { bags: resolved.flatMap((entry) => (entry.kind === "bag" ? [entry.bag] : [])), nMissing: missing.length };
}
