/** Drives everything random unless the user has a seed: the same call gives the same result. */
export const DEFAULT_SEED = 1n;
