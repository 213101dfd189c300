import type { commonV1 } from "@parfocal/protocol";
import { type AssignedRow, PART_NAMES } from "../cohort/assign-parts.ts";
import { type DataSummary, type Fact, formatCount } from "../report/index.ts";

/** Counts of a cohort by part and class, without a name of anybody; `facts` come first. */
export function dataSummary(
  rows: readonly AssignedRow[],
  { classes }: Pick<commonV1.Task, "classes">,
  facts: readonly Fact[],
): DataSummary {
  const tiles = rows.map(({ bag }) => bag.reference?.tileCount ?? 0);
  const hasCoords = rows.some(({ bag }) => bag.reference?.hasCoordinates);
  return {
    facts: [
      ...facts,
      { name: "Bags", value: formatCount(rows.length) },
      { name: "Patients", value: formatCount(countPatients(rows)) },
      { name: "Tiles in a bag", value: rangeOf(tiles) },
      { name: "Features of a tile", value: formatCount(rows[0]?.bag.reference?.featureDim ?? 0) },
      { name: "Coordinates", value: hasCoords ? "level-0 pixels" : "none: no heatmaps can be drawn" },
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

function countPatients(rows: readonly AssignedRow[]): number {
  return new Set(rows.map(({ patient }) => patient)).size;
}

function rangeOf(counts: readonly number[]): string {
  const low = counts.reduce((least, count) => Math.min(least, count), Infinity);
  const high = counts.reduce((most, count) => Math.max(most, count), 0);
  return low >= high ? formatCount(high) : `${formatCount(low)} to ${formatCount(high)}`;
}
