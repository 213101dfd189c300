import { InvalidArgumentError } from "commander";

/** um per pixel of 1x: nominal magnifications are told by pixels of 0.25 um at 40x. */
const UM_AT_1X = 10;

/** Resolutions between commas, coarsest first, each as um per pixel (`0.5`) or as a magnification (`20x`): um per pixel. */
export function parseLevelMpps(text: string): number[] {
  const mpps = text.split(",").map(mppOf);
  if (mpps.every((mpp, at) => mpp > 0 && Number.isFinite(mpp) && mpp < (mpps[at - 1] ?? Number.POSITIVE_INFINITY))) {
    return mpps;
  }
  throw new InvalidArgumentError(
    "It is um per pixel (2,1,0.5) or magnifications (5x,10x,20x) with commas, coarsest first.",
  );
}

function mppOf(text: string): number {
  const [, number = "", times] = /^\s*(\d+(?:\.\d+)?|\.\d+)(x?)\s*$/i.exec(text) ?? [];
  if (number === "") return Number.NaN;
  return times === "" ? Number(number) : UM_AT_1X / Number(number);
}
