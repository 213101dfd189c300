import type { commonV1 } from "@parfocal/protocol";

/** What a model's bags must be of, as a sentence such as `tiles of 256 px, 0.5 um per px, stride 224 px`; empty: nothing but the width. */
export function expectationText(expects: commonV1.BagExpectations | undefined): string {
  const { tilePx, mpp, stridePx, level0StridePx, surrogateLevels = "none" } = expects ?? {};
  return [
    ...(tilePx === undefined ? [] : [`tiles of ${tilePx} px`]),
    ...(mpp === undefined ? [] : [`${mpp} um per px`]),
    ...(stridePx === undefined ? [] : [`stride ${stridePx} px`]),
    ...(level0StridePx === undefined ? [] : [`stride ${level0StridePx} px of level 0`]),
    ...(surrogateLevels === "none" ? [] : [`magnifications ${surrogateLevels} made up`]),
  ].join(", ");
}

/** The same for programs; null where it is not known. */
export function expectationRecord(expects: commonV1.BagExpectations | undefined): object {
  const { encoder = "", tilePx, mpp, stridePx, level0StridePx, surrogateLevels } = expects ?? {};
  return {
    encoder,
    tilePx: tilePx ?? null,
    mpp: mpp ?? null,
    stridePx: stridePx ?? null,
    level0StridePx: level0StridePx ?? null,
    surrogateLevels: surrogateLevels ?? null,
  };
}
