import { createRng } from "@parfocal/metrics";
import { encodeNpy } from "./npy.ts";

/** A slide of a cohort whose labels follow one hidden grade. */
export interface GradedSlide {
  readonly fileName: string;
  readonly bytes: Uint8Array;
  readonly patient: string;
  /** `low`, `mid` or `high`. */
  readonly grade: string;
  /** 40 to 80, with a little noise. */
  readonly age: number;
  /** Months; higher grades die sooner, and a fifth is censored. */
  readonly survival: { readonly time: number; readonly event: boolean };
}

/** Names of the grades, lowest first. */
export const GRADES = ["low", "mid", "high"];

const DIM = 8;

/** Two slides per patient, whose tiles are shifted along the first feature by the patient's grade. */
export function plantGrades(nSlides: number, seed = 3n): GradedSlide[] {
  return Array.from({ length: nSlides }, (_, index) => {
    const patientIndex = Math.floor(index / 2);
    const patient = createRng(seed).fork(`patient ${patientIndex}`);
    const grade = patient.nextFloat();
    const rng = createRng(seed).fork(`slide ${index}`);
    const n = 10 + rng.nextInt(20);
    const tiles = Float32Array.from({ length: n * DIM }, (_, i) => rng.normal() + (i % DIM === 0 ? 4 * grade : 0));
    return {
      fileName: `graded-${index}.npy`,
      bytes: encodeNpy([n, DIM], tiles),
      patient: `patient-${patientIndex}`,
      grade: GRADES[Math.floor(3 * grade)] ?? "",
      age: 40 + 40 * grade + patient.normal(),
      survival: { time: 40 * Math.exp(-3 * grade + 0.2 * patient.normal()), event: patient.nextFloat() > 0.2 },
    };
  });
}
