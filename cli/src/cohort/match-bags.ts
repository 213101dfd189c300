import type { gatewayV1 } from "@parfocal/protocol";
import type { LabelRow, LabelTable } from "./parse-labels.ts";
import { stemOf } from "./slide-stem.ts";

/** A row with the one bag it means. */
export interface MatchedRow {
  readonly row: LabelRow;
  readonly bag: gatewayV1.Bag;
}

/** What came of matching a labels table with the bags of a project. */
export interface Matching {
  readonly matched: readonly MatchedRow[];
  /** One sentence per row that means no bag, or several. */
  readonly problems: readonly string[];
  /** One sentence per reason for which rows of the table were left out before, with their number and no name. */
  readonly notes: readonly string[];
}

const MIN_DIGEST_PREFIX = 8;

/** Finds the bags that a name means. */
export type BagFinder = (name: string) => readonly gatewayV1.Bag[];

/**
 * A finder among `bags`: by resource name, by digest or 8 or more of its first digits, by slide id, and by slide id with the
 * ending of a slide or of a feature file taken off either. The first of these that finds anything decides.
 */
export function createBagFinder(bags: readonly gatewayV1.Bag[]): BagFinder {
  const byName = groupBy(bags, ({ name }) => name);
  const bySlide = groupBy(bags, ({ info }) => info?.slideId ?? "");
  const byStem = groupBy(bags, ({ info }) => stemOf(info?.slideId ?? ""));
  return (name) =>
    byName.get(name) ??
    bySlide.get(name) ??
    byStem.get(stemOf(name)) ??
    (isDigestPrefix(name) ? bags.filter((bag) => digestOf(bag).startsWith(name)) : []);
}

/** Finds the bag of each row. */
export function matchBags({ rows, notes }: LabelTable, bags: readonly gatewayV1.Bag[]): Matching {
  const find = createBagFinder(bags);
  const matched: MatchedRow[] = [];
  const problems: string[] = [];
  const lineOfBag = new Map<string, number>();
  for (const row of rows) {
    const found = find(row.slide);
    const [bag] = found;
    const other = bag === undefined ? undefined : lineOfBag.get(bag.name);
    if (bag === undefined) problems.push(`line ${row.line}: no bag of the project is of slide "${row.slide}"`);
    else if (found.length > 1) problems.push(ambiguity(row, found));
    else if (other !== undefined) problems.push(`lines ${other} and ${row.line} mean the same bag`);
    else {
      lineOfBag.set(bag.name, row.line);
      matched.push({ row, bag });
    }
  }
  return { matched, problems, notes };
}

function ambiguity(row: LabelRow, found: readonly gatewayV1.Bag[]): string {
  const some = found.slice(0, 3).map((bag) => digestOf(bag).slice(0, 12));
  const more = found.length > some.length ? ", …" : "";
  const advice = "name one in a bag column";
  return `line ${row.line}: ${found.length} bags are of slide "${row.slide}" (${some.join(", ")}${more}); ${advice}`;
}

function digestOf({ name }: gatewayV1.Bag): string {
  return name.slice(name.lastIndexOf("/") + 1);
}

function isDigestPrefix(name: string): boolean {
  return name.length >= MIN_DIGEST_PREFIX && /^[0-9a-f]{1,64}$/.test(name);
}

function groupBy(
  bags: readonly gatewayV1.Bag[],
  keyOf: (bag: gatewayV1.Bag) => string,
): ReadonlyMap<string, readonly gatewayV1.Bag[]> {
  const groups = new Map<string, gatewayV1.Bag[]>();
  for (const bag of bags) {
    const key = keyOf(bag);
    if (key === "") continue;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [bag]);
    else group.push(bag);
  }
  return groups;
}
