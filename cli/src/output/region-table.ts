import type { commonV1, gatewayV1 } from "@parfocal/protocol";
import { bagFactsOf } from "../client/bag-facts.ts";
import type { Output } from "./output.ts";
import { plural } from "./units.ts";

/** What came of a slide's regions. */
export type SlideOutcome = { readonly slide: string } & (
  | { readonly kind: "bag"; readonly bag: gatewayV1.Bag; readonly report: commonV1.RegionReport | undefined }
  | { readonly kind: "error"; readonly code: string; readonly message: string }
);

/** Slides shown one by one; beyond, they are summed up. */
const MAX_ROWS = 60;

/** A slide as programs are shown it. */
export function slideRecord(outcome: SlideOutcome): object {
  const { slide } = outcome;
  if (outcome.kind === "error") return { slide, error: { code: outcome.code, message: outcome.message } };
  const { bag, digest, n, d, dtype } = bagFactsOf(outcome.bag);
  return { slide, bag, digest, n, d, dtype, levels: outcome.bag.info?.levelCount ?? null, ...outcome.report };
}

/** Prints a line per slide: its cells, how many are full, how far tiles lie off the grid; refused ones with the reason. */
export function showRegions(output: Output, outcomes: readonly SlideOutcome[]): void {
  const built = outcomes.flatMap((outcome) => (outcome.kind === "bag" ? [outcome] : []));
  const columns = [
    { title: "slide" },
    { title: "tiles, coarse to fine" },
    { title: "cells", align: "right" },
    { title: "full", align: "right" },
    { title: "largest offset" },
    { title: "bag" },
  ] as const;
  const rows = built
    .slice(0, MAX_ROWS)
    .map(({ slide, bag, report }) => [
      slide,
      countsOf(report),
      String(report?.cellCount ?? ""),
      String(report?.fullCellCount ?? ""),
      offsetsOf(report),
      bagFactsOf(bag).digest.slice(0, 12),
    ]);
  if (rows.length > 0) output.table(columns, rows);
  if (built.length > MAX_ROWS) output.line(`… and ${built.length - MAX_ROWS} more`);
  if (built.length > 0) output.line(plural(built.length, "region bag"));
  const nMadeUp = built.filter(({ report }) => (report?.surrogateLevels.length ?? 0) > 0).length;
  if (nMadeUp > 0) {
    const what = "made up of finer tiles (*), as the slide has no bag of them: pretraining takes them for missing";
    output.note(`${nMadeUp} of ${plural(built.length, "region bag")} with magnifications ${what}`);
  }
  for (const outcome of outcomes) {
    if (outcome.kind === "error") output.note(`refused: ${outcome.slide}: ${outcome.code}: ${outcome.message}`);
  }
}

/** Tiles by magnification; an asterisk marks those that are made up. */
function countsOf(report: commonV1.RegionReport | undefined): string {
  const counts = report?.tileCounts ?? [];
  return counts.map((count, m) => `${count}${report?.surrogateLevels.includes(m) === true ? "*" : ""}`).join(" + ");
}

/** Offsets in tiles of their own magnification, and what was done about tiles that were off. */
function offsetsOf(report: commonV1.RegionReport | undefined): string {
  if (report === undefined) return "";
  const largest = report.largestOffsets.reduce((a, b) => Math.max(a, b), 0);
  const notes = [
    ...(report.unalignedCount > 0n ? [`${report.unalignedCount} by centre`] : []),
    ...(report.decimatedCount > 0n ? [`${report.decimatedCount} left out`] : []),
  ];
  return `${largest.toFixed(3)} tile${notes.length === 0 ? "" : ` (${notes.join(", ")})`}`;
}
