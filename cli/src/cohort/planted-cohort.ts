import { createRng, type Rng } from "@parfocal/metrics";
import { growTissue, type Tissue } from "./planted-tissue.ts";

/** A made-up slide. */
export interface PlantedSlide {
  readonly slideId: string;
  readonly patient: string;
  readonly label: PlantedClass;
  /** Tiles. */
  readonly n: number;
  /** `[N, D]` row-major. */
  readonly features: Float32Array;
  /** `[N, 2]` level-0 pixels of each tile's top left. */
  readonly coords: Int32Array;
  /** `[N]`, 1 where a tile belongs to the lesion. */
  readonly lesion: Uint8Array;
}

/** The classes of a planted cohort, negative first. */
export const PLANTED_CLASSES = ["normal", "tumour"] as const;

/** One of {@link PLANTED_CLASSES}. */
type PlantedClass = (typeof PLANTED_CLASSES)[number];

/** Features per tile. */
export const PLANTED_DIM = 128;
/** Distance of neighbouring tiles in level-0 pixels: tiles of 256 px at 20x of a slide scanned at 40x. */
export const PLANTED_STRIDE_PX = 512;

/** Kinds of healthy tissue, which lie in patches. */
const N_TISSUES = 4;
/** Standard deviation of the tissues' means, beside tile noise of 1. */
const TISSUE_SPREAD = 0.7;
/** What a patient's staining adds to all of their tiles. */
const STAIN_SPREAD = 0.1;
/** Length of the shift of lesion tiles, beside tile noise of 1 in each of 128 features. */
const LESION_SHIFT = 8;
/** Share of the shift that the faintest lesion has: some positive slides are hard, as real ones are. */
const FAINTEST_LESION = 0.4;
/** Length of the shift of an inflamed patch, which half of all slides have, whatever their label. */
const DECOY_SHIFT = 5;
/** Slides of one patient after another: 45 patients for 60 slides. */
const SLIDES_OF_PATIENTS = [1, 1, 2];

/** What all slides of a cohort share. */
interface Palette {
  readonly tissues: readonly Float64Array[];
  readonly lesion: Float64Array;
  readonly decoy: Float64Array;
}

/**
 * Slides of patients on irregular tissue. Positive slides hold one compact lesion of 3 to 9 % of their tiles, shifted along one
 * direction; half of all slides hold an inflamed patch shifted along another. Deterministic in `seed`; slides do not depend on
 * how many there are.
 */
export function plantCohort(nSlides: number, seed: bigint): PlantedSlide[] {
  const rng = createRng(seed).fork("planted cohort");
  const palette = createPalette(rng.fork("palette"));
  return patientOfSlides(nSlides).map(({ patient, which }, index) => {
    const label = PLANTED_CLASSES[patient % 2] ?? "normal";
    const stain = direction(rng.fork(`patient ${patient}`), PLANTED_DIM, STAIN_SPREAD * Math.sqrt(PLANTED_DIM));
    const slide = plantSlide(label, palette, stain, rng.fork(`slide ${index}`));
    const id = String(patient + 1).padStart(3, "0");
    return { ...slide, slideId: `P${id}-S${which + 1}`, patient: `P${id}`, label };
  });
}

function patientOfSlides(nSlides: number): { readonly patient: number; readonly which: number }[] {
  const slides: { patient: number; which: number }[] = [];
  for (let patient = 0; slides.length < nSlides; patient++) {
    const count = SLIDES_OF_PATIENTS[patient % SLIDES_OF_PATIENTS.length] ?? 1;
    for (let which = 0; which < count && slides.length < nSlides; which++) slides.push({ patient, which });
  }
  return slides;
}

function createPalette(rng: Rng): Palette {
  const tissues = Array.from({ length: N_TISSUES }, () =>
    Float64Array.from({ length: PLANTED_DIM }, () => TISSUE_SPREAD * rng.normal()),
  );
  return {
    tissues,
    lesion: direction(rng, PLANTED_DIM, LESION_SHIFT),
    decoy: direction(rng, PLANTED_DIM, DECOY_SHIFT),
  };
}

/** A random direction of a given length. */
function direction(rng: Rng, dim: number, length: number): Float64Array {
  const vector = Float64Array.from({ length: dim }, () => rng.normal());
  const norm = Math.hypot(...vector);
  return vector.map((value) => (value * length) / norm);
}

function plantSlide(label: PlantedClass, palette: Palette, stain: Float64Array, rng: Rng) {
  const tissue = growTissue(rng.fork("tissue"));
  const n = tissue.cells.length;
  const share = 0.03 + 0.06 * rng.nextFloat();
  const lesion = label === "tumour" ? patchOf(tissue, share, rng) : new Uint8Array(n);
  const strength = FAINTEST_LESION + (1 - FAINTEST_LESION) * rng.nextFloat();
  const decoy = rng.nextFloat() < 0.5 ? patchOf(tissue, share, rng) : new Uint8Array(n);
  const features = new Float32Array(n * PLANTED_DIM);
  for (let tile = 0; tile < n; tile++) {
    const mean = palette.tissues[tissue.kindOf(tile, N_TISSUES)];
    const [isLesion, isDecoy] = [lesion[tile] ?? 0, lesion[tile] === 1 ? 0 : (decoy[tile] ?? 0)];
    for (let d = 0; d < PLANTED_DIM; d++) {
      const shift = isLesion * strength * (palette.lesion[d] ?? 0) + isDecoy * (palette.decoy[d] ?? 0);
      features[tile * PLANTED_DIM + d] = (mean?.[d] ?? 0) + (stain[d] ?? 0) + shift + rng.normal();
    }
  }
  const origin = [20_000 + rng.nextInt(20_000), 10_000 + rng.nextInt(20_000)] as const;
  const coords = Int32Array.from(
    tissue.cells.flatMap(([x, y]) => [origin[0] + x * PLANTED_STRIDE_PX, origin[1] + y * PLANTED_STRIDE_PX]),
  );
  return { n, features, coords, lesion };
}

/** The tiles nearest to a random one: 1 for each of them. */
function patchOf({ cells }: Tissue, share: number, rng: Rng): Uint8Array {
  const [centreX, centreY] = cells[rng.nextInt(cells.length)] ?? [0, 0];
  const size = Math.max(6, Math.round(share * cells.length));
  const distances = cells.map(([x, y], tile) => ({ tile, distance: Math.hypot(x - centreX, y - centreY) }));
  distances.sort((a, b) => a.distance - b.distance || a.tile - b.tile);
  const patch = new Uint8Array(cells.length);
  for (const { tile } of distances.slice(0, size)) patch[tile] = 1;
  return patch;
}
