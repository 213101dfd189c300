import type { Frequencies } from "@parfocal/tensor";

/** The families of frequencies: see {@link pixelFrequencies} and {@link languageFrequencies}. */
export const ROTARY_FAMILIES = ["pixel", "lang", "none"] as const;

/**
 * Linearly spaced: `π · linspace(1, F/2, n) / F` radians per cell with F = `maxFrequency`, from a wave of 2F cells to one of
 * 4. These are whole steps of a turn of `4 F (n - 1)`, so angles of any cell are exact.
 *
 * Source: Pochet et al. 2023, the encoding that their models ship with (F = 400).
 */
export function pixelFrequencies(n: number, maxFrequency: number): Frequencies {
  const intervals = Math.max(1, n - 1);
  const steps = Array.from({ length: n }, (_, j) => 2 * intervals + (maxFrequency - 2) * j);
  return { steps, stepsPerTurn: 4 * maxFrequency * intervals };
}

/** Steps of a turn for frequencies that are no fractions of one; half a step is 2e-13 radians per cell. */
const FINE_STEPS = 2 ** 44;

/**
 * Geometrically spaced: `base^(-j / n)` radians per cell, j from 0 to n - 1.
 *
 * Source: Su et al. 2021 (arXiv:2104.09864), section 3.2.2; Vaswani et al. 2017, section 3.5, for the additive code.
 */
export function languageFrequencies(n: number, base: number): Frequencies {
  const steps = Array.from({ length: n }, (_, j) => Math.round((base ** (-j / n) / (2 * Math.PI)) * FINE_STEPS));
  return { steps, stepsPerTurn: FINE_STEPS };
}
