import type { commonV1 } from "@parfocal/protocol";
import { coordUnitOf } from "../client/coord-unit.ts";
import { type AssignedRow, PART_NAMES } from "../cohort/assign-parts.ts";
import { coordUnitWords, type DataSummary, type Fact, formatCount, formatPlural } from "../report/index.ts";

const WITHOUT_COORDINATES = "none: no heatmaps can be drawn";

/** Counts of a cohort by part and class, without a name of anybody; `facts` come first. */
export function dataSummary(
  rows: readonly AssignedRow[],
  { classes }: Pick<commonV1.Task, "classes">,
  facts: readonly Fact[],
): DataSummary {
  const tiles = rows.map(({ bag }) => bag.reference?.tileCount ?? 0);
  return {
    facts: [
      ...facts,
      { name: "Bags", value: formatCount(rows.length) },
      { name: "Patients", value: formatCount(countPatients(rows)) },
      { name: "Tiles in a bag", value: rangeOf(tiles) },
      { name: "Features of a tile", value: formatCount(rows[0]?.bag.reference?.featureDim ?? 0) },
      { name: "Coordinates", value: coordinatesOf(rows) },
    ],
    classes,
    parts: PART_NAMES.map((part) => {
      const within = rows.filter((row) => row.part === part);
      return {
        name: `${part[0]?.toUpperCase()}${part.slice(1)}`,
        nPatients: countPatients(within),
        nSlides: within.length,
        perClass: classes.map((name) => within.filter(({ row }) => row.labels.includes(name)).length),
      };
    }),
  };
}

/** What the coordinates of the bags count; how many bags each holds for, where they differ. */
function coordinatesOf(rows: readonly AssignedRow[]): string {
  const counts = new Map<string, number>();
  for (const { bag } of rows) {
    const kind = bag.reference?.hasCoordinates === true ? coordUnitWords(coordUnitOf(bag)) : WITHOUT_COORDINATES;
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  if (counts.size === 0) return WITHOUT_COORDINATES;
  if (counts.size === 1) return [...counts.keys()].join();
  return Array.from(counts, ([kind, count]) => `${formatPlural(count, "bag")}: ${kind}`).join("; ");
}

function countPatients(rows: readonly AssignedRow[]): number {
  return new Set(rows.map(({ patient }) => patient)).size;
}

function rangeOf(counts: readonly number[]): string {
  const low = counts.reduce((least, count) => Math.min(least, count), Infinity);
  const high = counts.reduce((most, count) => Math.max(most, count), 0);
  return low >= high ? formatCount(high) : `${formatCount(low)} to ${formatCount(high)}`;
}
