import { parentPort } from "node:worker_threads";
import { blockIndexFromBlocks } from "../regions/block-index-of.ts";
import { regionOrigins } from "../regions/region-origins.ts";

/** Thread that counts the regions of 3 × 3 cells of a slide of a million whole blocks: what it may hold is for who starts it. */
const SIDE = 1000;

const cells = new Int32Array(2 * SIDE * SIDE);
for (let block = 0; block < SIDE * SIDE; block++) {
  [cells[2 * block], cells[2 * block + 1]] = [Math.floor(block / SIDE), block % SIDE];
}
const grid = { levelCount: 3, coarsePx: 1792, anchorPx: [0, 0] } as const;
const index = blockIndexFromBlocks(grid, { cells, present: new Uint32Array(SIDE * SIDE).fill(0x1fffff) });
const origins = regionOrigins(index, { regionTiles: 3, step: "every", minPresence: 0.65 });
parentPort?.postMessage(origins.length / 2);
