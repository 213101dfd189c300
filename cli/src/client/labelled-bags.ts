import { DomainError } from "@parfocal/errors";
import { commonV1, type gatewayV1 } from "@parfocal/protocol";
import type { MatchedRow } from "../cohort/match-bags.ts";
import type { LabelPart } from "../cohort/parse-splits.ts";
import { FROM_BAGS, readLabels, type TableWish } from "../cohort/read-labels.ts";
import { suitableBags } from "../cohort/region-bags.ts";
import { plural } from "../output/units.ts";
import type { CommandContext } from "../run-command.ts";
import type { GatewayClients } from "./clients.ts";
import { listAllBags } from "./list-all.ts";

/** Rows that do not match, shown one by one. */
const MAX_PROBLEMS = 20;

const PARTS = {
  train: commonV1.Part.PART_TRAIN,
  validation: commonV1.Part.PART_VALIDATION,
  test: commonV1.Part.PART_TEST,
};

/** A labels table, and the bags that it is about. */
export interface LabelsWish extends TableWish {
  /** Path, or `from-bags`. */
  readonly labels: string;
  /** Whether the model looks at magnifications. */
  readonly wantsRegions: boolean;
}

/**
 * The rows of a labels table with the project's bags. What cannot be matched is told row by row, rows without a label by their number.
 *
 * @throws {DomainError} `NOT_FOUND` unless every row means one bag. @throws {UsageError} for a table that is none.
 */
export async function matchLabels(
  { output, parent, signal }: Pick<CommandContext, "output" | "parent" | "signal">,
  clients: GatewayClients,
  { labels, wantsRegions, ...wish }: LabelsWish,
): Promise<readonly MatchedRow[]> {
  const bags = suitableBags(await listAllBags(clients, parent, signal), wantsRegions);
  const { matched, problems, notes } = await readLabels(labels, bags, wish);
  for (const text of notes) output.note(`${labels}: ${text}`);
  if (problems.length === 0) return matched;
  for (const problem of problems.slice(0, MAX_PROBLEMS)) output.note(`${labels}: ${problem}`);
  if (problems.length > MAX_PROBLEMS) output.note(`${labels}: … and ${problems.length - MAX_PROBLEMS} more`);
  const where = `the ${plural(bags.length, "bag")} of ${parent}`;
  throw new DomainError(
    "NOT_FOUND",
    `${plural(problems.length, "row")} of the labels table cannot be matched with ${where}; nothing was done`,
    { details: { rows: String(problems.length), labels: labels === FROM_BAGS ? FROM_BAGS : "file" } },
  );
}

/** What {@link labelledBag} is told beside the row. */
export interface LabelledBagOptions {
  /** Groups are sent where they matter: a column may mean something else to others. */
  readonly hasGroups: boolean;
  /** In place of the table's. */
  readonly part?: LabelPart;
}

/** A row as a training takes it. */
export function labelledBag({ row, bag }: MatchedRow, { hasGroups, part }: LabelledBagOptions): gatewayV1.LabelledBag {
  const fixed = part ?? row.part;
  return {
    bag: bag.name,
    labels: [...row.labels],
    unknownLabels: [...row.unknownLabels],
    patientId: row.patient ?? "",
    groupId: hasGroups ? (row.group ?? "") : "",
    part: fixed === undefined ? commonV1.Part.PART_UNSPECIFIED : PARTS[fixed],
    values: { ...row.values },
    ...(row.survival && { survival: row.survival }),
  };
}
