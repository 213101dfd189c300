import type { BodyNode } from "../capture/body.ts";

/** Integers that {@link blockRows} and {@link joinRows} read; a body that uses them has them once. */
export function blockIntegers(rowsPerBlock: number): Readonly<Record<string, readonly number[]>> {
  return { none: [0], block: [rowsPerBlock] };
}

/** Nodes that give `n`, the number of rows of `x`, and `pads`, the zeros that fill its last block of rows up. */
export function countRows(x: string): BodyNode[] {
  return [
    { op: "Shape", inputs: [x], outputs: ["n"], attributes: { start: 0, end: 1 } },
    { op: "Mod", inputs: ["n", "block"], outputs: ["over"] },
    { op: "Sub", inputs: ["block", "over"], outputs: ["missing"] },
    { op: "Mod", inputs: ["missing", "block"], outputs: ["fill"] },
    { op: "Concat", inputs: ["none", "none", "fill", "none"], outputs: ["pads"], attributes: { axis: 0 } },
  ];
}

/** Nodes that cut `x` [N, W] into `<x>.blocks` [N/b, b, W], the last one filled up with zeros; `shape` names that shape. */
export function blockRows(x: string, shape: string): BodyNode[] {
  return [
    { op: "Pad", inputs: [x, "pads"], outputs: [`${x}.filled`] },
    { op: "Reshape", inputs: [`${x}.filled`, shape], outputs: [`${x}.blocks`] },
  ];
}

/** Nodes that make of `<x>.blocks` [N/b, b, W] the N rows of `x`; `shape` names [-1, W]. */
export function joinRows(x: string, shape: string): BodyNode[] {
  return [
    { op: "Reshape", inputs: [`${x}.blocks`, shape], outputs: [`${x}.joined`] },
    { op: "Slice", inputs: [`${x}.joined`, "none", "n", "none"], outputs: [x] },
  ];
}
