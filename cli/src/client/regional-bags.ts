import { existsSync } from "node:fs";
import type { gatewayV1 } from "@parfocal/protocol";
import { createBagFinder } from "../cohort/match-bags.ts";
import type { GatewayClients } from "./clients.ts";
import { findFiles } from "./find-files.ts";
import { type FileOutcome, importFiles } from "./import-files.ts";
import { listAllBags } from "./list-all.ts";
import type { ResolveOptions } from "./resolve-bags.ts";

/** Bags that names mean, and the names that mean none. */
export interface NamedBags {
  readonly bags: readonly gatewayV1.Bag[];
  readonly failures: readonly { readonly named: string; readonly code: string; readonly message: string }[];
}

/**
 * All bags that names mean: files and folders are imported first; a slide id means every bag of the slide. `undefined`: every
 * bag of the project.
 */
export async function bagsOfSlides(
  clients: GatewayClients,
  names: readonly string[] | undefined,
  options: ResolveOptions & { readonly onFile?: (nDone: number, nTotal: number) => void },
): Promise<NamedBags> {
  if (names === undefined) return { bags: await listAllBags(clients, options.parent, options.signal), failures: [] };
  const files = await findFiles(names.filter((name) => existsSync(name)));
  const onFile = (_: readonly FileOutcome[], nDone: number) => options.onFile?.(nDone, files.length);
  const outcomes = (await importFiles(clients, files, { ...options, onFile })).flat();
  const others = names.filter((name) => !existsSync(name));
  const known = others.length === 0 ? [] : await listAllBags(clients, options.parent, options.signal);
  const find = createBagFinder(known);
  const missing = others.filter((name) => find(name).length === 0);
  return {
    bags: [
      ...outcomes.flatMap((outcome) => (outcome.kind === "bag" ? [outcome.bag] : [])),
      ...others.flatMap((name) => find(name)),
    ],
    failures: [
      ...outcomes.flatMap((outcome) => (outcome.kind === "error" ? [{ ...outcome, named: outcome.path }] : [])),
      ...missing.map((named) => ({ named, code: "NOT_FOUND", message: "neither a file nor a bag of the project" })),
    ],
  };
}
