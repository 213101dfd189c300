import { createRng, type Rng } from "@parfocal/metrics";
import { encodeNpy } from "./npy.ts";

/** A slide of a planted cohort as a file to upload. */
export interface PlantedSlide {
  readonly fileName: string;
  readonly bytes: Uint8Array;
  readonly label: "normal" | "tumour";
  readonly patient: string;
}

/** Tile features per slide. */
export const PLANTED_DIM = 16;

/** Slides whose positives hold a few tiles shifted along the first features; two slides per patient, classes alternate. */
export function plantCohort(nSlides: number, seed = 7n): PlantedSlide[] {
  return Array.from({ length: nSlides }, (_, index) => {
    const rng = createRng(seed).fork(`slide ${index}`);
    const patientIndex = Math.floor(index / 2);
    const label = patientIndex % 2 === 0 ? "normal" : "tumour";
    const n = 20 + rng.nextInt(40);
    return {
      fileName: `slide-${index}.npy`,
      bytes: encodeNpy([n, PLANTED_DIM], plantTiles(n, label === "tumour", rng)),
      label,
      patient: `patient-${patientIndex}`,
    };
  });
}

function plantTiles(n: number, isPositive: boolean, rng: Rng): Float32Array {
  const tiles = Float32Array.from({ length: n * PLANTED_DIM }, () => rng.normal());
  const nLesion = isPositive ? Math.max(2, Math.round(n * 0.1)) : 0;
  for (let tile = 0; tile < nLesion; tile++) {
    for (let d = 0; d < 4; d++) tiles[tile * PLANTED_DIM + d]! += 4;
  }
  return tiles;
}
