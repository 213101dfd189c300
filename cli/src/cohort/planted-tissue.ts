import type { Rng } from "@parfocal/metrics";

/** Tiles of a made-up piece of tissue. */
export interface Tissue {
  /** Column and row of each tile. */
  readonly cells: readonly (readonly [number, number])[];
  /** Kind of tissue at a tile, 0 to `nKinds - 1`; neighbours mostly agree. */
  kindOf(tile: number, nKinds: number): number;
}

/** Fewest and most tiles aimed at. */
const MIN_TILES = 220;
const MAX_TILES = 780;
/** Waves of an outline. */
const N_HARMONICS = 5;

/** A round outline with waves, and the place of its middle. */
interface Outline {
  readonly x: number;
  readonly y: number;
  readonly radius: number;
  readonly waves: readonly { readonly amplitude: number; readonly phase: number }[];
}

/**
 * One to three pieces of tissue side by side, each with a wavy outline, some with a hole: 200 to 800 tiles on a grid, row by
 * row.
 */
export function growTissue(rng: Rng): Tissue {
  const nWanted = MIN_TILES + rng.nextInt(MAX_TILES - MIN_TILES);
  const nPieces = 1 + rng.nextInt(3);
  const radius = Math.sqrt(nWanted / nPieces / Math.PI);
  const pieces = Array.from({ length: nPieces }, (_, i) => outlineAt(rng, i * radius * 2.5, radius));
  const holes = pieces.filter(() => rng.nextFloat() < 0.6).map((piece) => holeIn(rng, piece));
  const cells = cellsWithin(pieces, holes, radius * 2.5 * nPieces);
  const field = smoothField(rng);
  return { cells, kindOf: (tile, nKinds) => Math.min(nKinds - 1, Math.floor(nKinds * field(cells[tile] ?? [0, 0]))) };
}

function outlineAt(rng: Rng, x: number, radius: number): Outline {
  const waves = Array.from({ length: N_HARMONICS }, (_, k) => ({
    amplitude: (0.22 * rng.nextFloat()) / (1 + 0.5 * k),
    phase: 2 * Math.PI * rng.nextFloat(),
  }));
  return { x, y: radius * (rng.nextFloat() - 0.5), radius, waves };
}

function holeIn(rng: Rng, piece: Outline): Outline {
  const angle = 2 * Math.PI * rng.nextFloat();
  const away = 0.35 * piece.radius;
  const hole = outlineAt(rng, piece.x + away * Math.cos(angle), piece.radius * (0.15 + 0.1 * rng.nextFloat()));
  return { ...hole, y: piece.y + away * Math.sin(angle) };
}

function cellsWithin(pieces: readonly Outline[], holes: readonly Outline[], width: number): [number, number][] {
  const margin = Math.ceil(2 * (pieces[0]?.radius ?? 0));
  const cells: [number, number][] = [];
  for (let y = -margin; y <= margin; y++) {
    for (let x = -margin; x <= width + margin; x++) {
      const isTissue = pieces.some((piece) => isInside(piece, x, y)) && !holes.some((hole) => isInside(hole, x, y));
      if (isTissue) cells.push([x + margin, y + margin]);
    }
  }
  return cells;
}

function isInside({ x, y, radius, waves }: Outline, atX: number, atY: number): boolean {
  const angle = Math.atan2(atY - y, atX - x);
  const wave = waves.reduce((sum, { amplitude, phase }, k) => sum + amplitude * Math.cos((k + 1) * angle + phase), 1);
  return Math.hypot(atX - x, atY - y) <= radius * wave;
}

/** A field in (0, 1) that changes slowly over the slide. */
function smoothField(rng: Rng): (cell: readonly [number, number]) => number {
  const waves = Array.from({ length: 4 }, () => ({
    kx: 0.25 * rng.normal(),
    ky: 0.25 * rng.normal(),
    phase: 2 * Math.PI * rng.nextFloat(),
  }));
  return ([x, y]) => {
    const sum = waves.reduce((total, { kx, ky, phase }) => total + Math.sin(kx * x + ky * y + phase), 0);
    return 1 / (1 + Math.exp(-1.2 * sum));
  };
}
