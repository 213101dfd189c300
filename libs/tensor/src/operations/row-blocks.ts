import type { BodyNode } from "../capture/body.ts";

/** Integers that these nodes read; a body that uses them has them once, and {@link mostRows} for each way of dividing. */
export const ROW_INTEGERS: Readonly<Record<string, readonly number[]>> = { none: [0], one: [1], rest: [-1] };

/** The bound of {@link divideRows}. */
export function mostRows(of: string, most: number): Readonly<Record<string, readonly number[]>> {
  return { [`${of}.most`]: [most], [`${of}.most.less`]: [most - 1] };
}

/** Nodes that give `n`, the number of rows of `x` [N, .]. */
export function countRows(x: string): BodyNode[] {
  return [{ op: "Shape", inputs: [x], outputs: ["n"], attributes: { start: 0, end: 1 } }];
}

/** Nodes that divide `n` rows into `<of>.count` blocks of `<of>.size`, at most `<of>.most` and as even as they can be. */
export function divideRows(of: string): BodyNode[] {
  const whole = (op: string, a: string, b: string, to: string): BodyNode => ({ op, inputs: [a, b], outputs: [to] });
  return [
    whole("Add", "n", `${of}.most.less`, `${of}.n.up`),
    whole("Div", `${of}.n.up`, `${of}.most`, `${of}.count`),
    whole("Add", "n", `${of}.count`, `${of}.n.more`),
    whole("Sub", `${of}.n.more`, "one", `${of}.n.over`),
    whole("Div", `${of}.n.over`, `${of}.count`, `${of}.size`),
    whole("Mul", `${of}.size`, `${of}.count`, `${of}.n.filled`),
    whole("Sub", `${of}.n.filled`, "n", `${of}.fill`),
  ];
}

/** Nodes that cut `x` [N, W] into `<x>.blocks` [B, b, W] as `of` was divided, the last one filled up with zeros. */
export function blockRows(x: string, of: string): BodyNode[] {
  const joined = (name: string, ...inputs: string[]): BodyNode => {
    return { op: "Concat", inputs, outputs: [name], attributes: { axis: 0 } };
  };
  return [
    joined(`${x}.pads`, "none", "none", `${of}.fill`, "none"),
    { op: "Pad", inputs: [x, `${x}.pads`], outputs: [`${x}.filled`] },
    joined(`${x}.cut`, `${of}.count`, `${of}.size`, "rest"),
    { op: "Reshape", inputs: [`${x}.filled`, `${x}.cut`], outputs: [`${x}.blocks`] },
  ];
}

/** Nodes that make of `<x>.blocks` [B, b, W] the N rows of `x`; `shape` names [-1, W]. */
export function joinRows(x: string, shape: string): BodyNode[] {
  return [
    { op: "Reshape", inputs: [`${x}.blocks`, shape], outputs: [`${x}.joined`] },
    { op: "Slice", inputs: [`${x}.joined`, "none", "n", "none"], outputs: [x] },
  ];
}
