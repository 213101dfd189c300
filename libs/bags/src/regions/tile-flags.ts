/** Bits of what is known of one tile of a region bag; a later writer may set more. */
export const TILE_FLAGS = {
  /** No tile that was embedded but a stand-in, made of the features of its children: never a target of masked modelling. */
  pseudo: 1,
  /** Lay further from its cell than allowed and was matched by its centre. */
  unaligned: 2,
  /** One of the four tiles beside it, at its own magnification, is not there. */
  edge: 4,
} as const;
