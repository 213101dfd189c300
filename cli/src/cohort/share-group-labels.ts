import { commonV1 } from "@parfocal/protocol";
import { patientOf } from "./assign-parts.ts";
import type { LabelRow } from "./label-row.ts";
import type { MatchedRow } from "./match-bags.ts";

/**
 * The rows with what is known of their groups, whose slides have one label together: what is unknown of one slide and known of another is
 * known of both. Slides that contradict each other stay as they are, which training refuses.
 */
export function shareGroupLabels(
  rows: readonly MatchedRow[],
  groups: Pick<commonV1.GroupRule, "kind"> | undefined,
): readonly MatchedRow[] {
  const { KIND_NONE, KIND_UNSPECIFIED } = commonV1.GroupRule_Kind;
  const kind = groups?.kind ?? KIND_UNSPECIFIED;
  if (kind === KIND_NONE || kind === KIND_UNSPECIFIED) return rows;
  const keyOf = (matched: MatchedRow) => JSON.stringify([patientOf(matched, true), matched.row.group ?? ""]);
  const members = Map.groupBy(rows, keyOf);
  return rows.map((matched) => ({ ...matched, row: completed(matched.row, members.get(keyOf(matched)) ?? []) }));
}

function completed(row: LabelRow, members: readonly MatchedRow[]): LabelRow {
  const isKnown = (name: string) => members.some(({ row: other }) => !other.unknownLabels.includes(name));
  const found = row.unknownLabels.filter(isKnown);
  const isTrue = (name: string) => members.some(({ row: other }) => other.labels.includes(name));
  const known = [
    ...members.flatMap(({ row: other }) => Object.entries(other.values ?? {})),
    ...Object.entries(row.values ?? {}),
  ];
  const values = Object.fromEntries(known);
  return {
    ...row,
    labels: [...row.labels, ...found.filter(isTrue)],
    unknownLabels: row.unknownLabels.filter((name) => !found.includes(name)),
    ...(row.values && { values }),
  };
}
