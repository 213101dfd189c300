/** How far a GPU may be from the CPU, relative: its products and sums go in other orders. */
export const GPU_TOLERANCE = 1e-3;

/** The tolerance on a device: the CPU's own, or that of a GPU. */
export function toleranceOn(device: string, onCpu: number): number {
  return device === "cpu" ? onCpu : GPU_TOLERANCE;
}
