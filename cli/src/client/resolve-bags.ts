import { existsSync } from "node:fs";
import type { gatewayV1 } from "@parfocal/protocol";
import { createBagFinder } from "../cohort/match-bags.ts";
import { suitableBags } from "../cohort/region-bags.ts";
import type { GatewayClients } from "./clients.ts";
import { findFiles } from "./find-files.ts";
import { importFiles } from "./import-files.ts";
import { listAllBags } from "./list-all.ts";

/** A bag to predict, or why there is none for what the user named. */
export type ResolvedBag =
  | { readonly kind: "bag"; readonly bag: gatewayV1.Bag }
  | { readonly kind: "error"; readonly named: string; readonly code: string; readonly message: string };

/** What {@link resolveBags} works with. */
export interface ResolveOptions {
  readonly parent: string;
  readonly signal: AbortSignal;
  /** Whether a slide id means the slide's region bag; absent: its bag of one magnification. Either where there is no other. */
  readonly wantsRegions?: boolean;
}

/**
 * The bags that names mean, each once, in their order: files and folders are imported first, anything else is a resource
 * name, a digest or a slide id.
 */
export async function resolveBags(
  clients: GatewayClients,
  names: readonly string[],
  options: ResolveOptions,
): Promise<readonly ResolvedBag[]> {
  const resolved: ResolvedBag[] = [];
  const known = names.some((name) => !existsSync(name))
    ? await listAllBags(clients, options.parent, options.signal)
    : [];
  const find = createBagFinder(known);
  const suited = (found: readonly gatewayV1.Bag[]) => suitableBags(found, options.wantsRegions ?? false);
  for (const named of names) {
    resolved.push(
      ...(existsSync(named) ? await importedBags(clients, named, options) : [foundBag(named, suited(find(named)))]),
    );
  }
  const seen = new Set<string>();
  return resolved.filter((entry) => {
    if (entry.kind === "error") return true;
    const isNew = !seen.has(entry.bag.name);
    seen.add(entry.bag.name);
    return isNew;
  });
}

async function importedBags(clients: GatewayClients, path: string, options: ResolveOptions): Promise<ResolvedBag[]> {
  const outcomes = await importFiles(clients, await findFiles([path]), options);
  return outcomes.flat().map((outcome) => (outcome.kind === "bag" ? outcome : { ...outcome, named: outcome.path }));
}

function foundBag(named: string, found: readonly gatewayV1.Bag[]): ResolvedBag {
  const [bag] = found;
  if (bag === undefined) {
    return { kind: "error", named, code: "NOT_FOUND", message: "neither a file nor a bag of the project" };
  }
  if (found.length === 1) return { kind: "bag", bag };
  const message = `${found.length} bags are of this slide; name one by its digest`;
  return { kind: "error", named, code: "INVALID_ARGUMENT", message };
}
