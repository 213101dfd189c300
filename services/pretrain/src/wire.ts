/**
 * @file The messages of the stage in the domain's types and back.
 */
import type { RegionOptions, RegionReport } from "@parfocal/bags";
import type { commonV1 } from "@parfocal/protocol";

/** How to build regions. What is absent is left to the defaults. */
export function regionOptionsFromWire(options: commonV1.RegionOptions | undefined): RegionOptions {
  const { levelCount, maxOffset, ratioTolerance, matchByCentre = false, decimateOverlap = false } = options ?? {};
  const { levelMpps = [], surrogateLevels = false } = options ?? {};
  return {
    ...(levelCount === undefined ? {} : { levelCount }),
    ...(maxOffset === undefined ? {} : { maxOffset }),
    ...(ratioTolerance === undefined ? {} : { ratioTolerance }),
    ...{ levelMpps, matchByCentre, decimateOverlap, surrogateLevels },
  };
}

/** What a build found, as the contract shows it. */
export function regionReportToWire(report: RegionReport): commonV1.RegionReport {
  return {
    tileCounts: report.tileCounts.map(BigInt),
    cellCount: BigInt(report.cellCount),
    fullCellCount: BigInt(report.fullCellCount),
    coarseTilePx: report.coarseTilePx,
    largestOffsets: [...report.largestOffsets],
    unalignedCount: BigInt(report.unalignedCount),
    decimatedCount: BigInt(report.decimatedCount),
    surrogateLevels: [...report.surrogateLevels],
  };
}
