import { DomainError } from "@parfocal/errors";
import type { gatewayV1 } from "@parfocal/protocol";
import { bagFactsOf } from "../client/bag-facts.ts";
import type { GatewayClients } from "../client/clients.ts";
import { coordUnitOf } from "../client/coord-unit.ts";
import { listAllBags } from "../client/list-all.ts";
import { createBagFinder } from "../cohort/match-bags.ts";
import { EXIT_CODES, type ExitCode } from "../exit-codes.ts";
import { plural } from "../output/units.ts";
import type { CommandContext } from "../run-command.ts";

/** `bags list`. */
export async function listBags(context: CommandContext): Promise<ExitCode> {
  const { output, parent, signal } = context;
  const { clients } = await context.connect();
  const bags = await listAllBags(clients, parent, signal);
  for (const bag of bags) output.record(bagRecord(bag));
  const areSomeMadeUp = bags.some((bag) => surrogateLevelsOf(bag) !== "");
  const columns = [
    { title: "slide" },
    { title: "tiles", align: "right" },
    { title: "features", align: "right" },
    { title: "dtype" },
    { title: "coordinates" },
    ...(areSomeMadeUp ? [{ title: "made-up levels" }] : []),
    { title: "label" },
    { title: "digest" },
  ] as const;
  const rows = bags.map((bag) => {
    const { slide, n, d, dtype, hasCoords, digest } = bagFactsOf(bag);
    const label = bag.info?.sourceLabel ?? "";
    const known = [slide, String(n), String(d), dtype, hasCoords ? "yes" : "no"];
    return [...known, ...(areSomeMadeUp ? [surrogateLevelsOf(bag)] : []), label, digest.slice(0, 12)];
  });
  if (rows.length > 0) output.table(columns, rows);
  output.line(plural(bags.length, "bag"));
  return EXIT_CODES.ok;
}

/** `bags get BAG`. */
export async function getBag(context: CommandContext, named: string): Promise<ExitCode> {
  const { output } = context;
  const { clients } = await context.connect();
  const bag = await findBag(context, clients, named);
  output.record(bagRecord(bag));
  for (const [name, value] of Object.entries(bagRecord(bag))) {
    if (value !== "" && value !== null) output.line(`${name.padEnd(18)}${value}`);
  }
  return EXIT_CODES.ok;
}

/** `bags delete BAG…`. */
export async function deleteBags(context: CommandContext, names: readonly string[]): Promise<ExitCode> {
  const { output, signal } = context;
  const { clients } = await context.connect();
  for (const named of names) {
    const { name } = await findBag(context, clients, named);
    await clients.bags.deleteBag({ name }, { signal });
    output.record({ deleted: name });
    output.line(`deleted ${name}`);
  }
  return EXIT_CODES.ok;
}

async function findBag(
  { parent, signal }: CommandContext,
  clients: GatewayClients,
  named: string,
): Promise<gatewayV1.Bag> {
  const found = createBagFinder(await listAllBags(clients, parent, signal))(named);
  const [bag] = found;
  if (bag === undefined) throw new DomainError("NOT_FOUND", `no bag of ${parent} is "${named}"`);
  if (found.length === 1) return bag;
  throw new DomainError("INVALID_ARGUMENT", `${found.length} bags are of slide "${named}"; name one by its digest`);
}

/** Magnifications (0 the coarsest) whose tiles are all stand-ins, a comma between; empty: none. */
function surrogateLevelsOf({ info }: gatewayV1.Bag): string {
  return (info?.surrogateLevels ?? []).join(",");
}

function bagRecord(bag: gatewayV1.Bag): Readonly<Record<string, string | number | boolean | null>> {
  const { info } = bag;
  return {
    ...bagFactsOf(bag),
    patient: info?.patientId ?? "",
    encoder: info?.encoder ?? "",
    tilePx: info?.tilePx ?? null,
    mpp: info?.mpp ?? null,
    stridePx: info?.stridePx ?? null,
    level0Mpp: info?.level0Mpp ?? null,
    level0StridePx: info?.level0StridePx ?? null,
    coordUnit: coordUnitOf(bag),
    label: info?.sourceLabel ?? "",
    levels: info?.levelCount ?? 1,
    surrogateLevels: surrogateLevelsOf(bag),
    importer: info?.importer ?? "",
    source: info?.sourceSha256 ?? "",
  };
}
