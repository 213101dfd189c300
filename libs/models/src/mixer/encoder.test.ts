import { tf } from "@parfocal/tensor";
import { describe, expect, it } from "vitest";
import type { ForwardContext } from "../model.ts";
import { sizeOfShape } from "../parameter.ts";
import { doubleFiller } from "../testing/eager-model.ts";
import { double, inDoubles, numbersOf } from "../testing/in-doubles.ts";
import { declareEncoder, encodeTokens } from "./encoder.ts";
import { parseMixerConfig } from "./mixer-config.ts";
import { countTokens } from "./token-layout.ts";

const CONFIG = parseMixerConfig({
  ...{ kind: "region-mixer", width: 8, depth: 2, heads: 2, classTokens: 2, regionTiles: 2, levelCount: 2 },
});
const N = countTokens(CONFIG);
const [W, C] = [CONFIG.width, CONFIG.classTokens];

/** A context over the filler; `isInference` tells which of the two forms of a block runs. */
function contextFrom(isInference: boolean): ForwardContext {
  const specs = declareEncoder(CONFIG, 3).parameters;
  return {
    isInference,
    parameter<T extends tf.Tensor>(name: string): T {
      const index = specs.findIndex((spec) => spec.name === name);
      const { shape = [] } = specs[index] ?? {};
      const values = doubleFiller(sizeOfShape(shape), 20 + index, 0.8);
      return double(/norm\d?\.weight$/u.test(name) ? values.map((value) => 1 + value) : values, shape);
    },
    dropout: (_site, x) => x,
    draw: (_site, fixed) => fixed,
  };
}

/** Tokens `[1, n, W]` through the encoder, `[C + n, W]`. */
function encode(rows: readonly number[], isPresent?: readonly number[], isInference = true): number[] {
  const n = rows.length / W;
  return inDoubles(() => {
    const mask = isPresent && tf.tensor2d([...isPresent], [1, n], "int32");
    const batch = { tokens: double<tf.Tensor3D>(rows, [1, n, W]), ...(mask && { isPresent: mask }) };
    return numbersOf(encodeTokens(CONFIG, batch, contextFrom(isInference)));
  });
}

const FEATURES = doubleFiller(N * W, 5, 2);
const POSITIONS = doubleFiller(N * W, 6, 1);

function rowsOf(values: readonly number[], rows: readonly number[]): number[] {
  return rows.flatMap((row) => values.slice(row * W, (row + 1) * W));
}

const sum = (a: readonly number[], b: readonly number[]) => a.map((value, i) => value + b[i]!);

function gap(a: readonly number[], b: readonly number[]): number {
  expect(a).toHaveLength(b.length);
  return Math.max(...a.map((value, i) => Math.abs(value - b[i]!)));
}

const ALL = Array.from({ length: N }, (_, t) => t);
const KEPT = [0, 3, 4, 5, 9, 12, 17, 19];

describe("a token that is removed (M8)", () => {
  const placed = sum(FEATURES, POSITIONS);
  const visible = encode(rowsOf(placed, KEPT));
  const isPresent = ALL.map((t) => Number(KEPT.includes(t)));
  const masked = encode(placed, isPresent);
  const keptOfMasked = [...masked.slice(0, C * W), ...rowsOf(masked.slice(C * W), KEPT)];

  it("is the same as one that is masked as a key", () => {
    expect(gap(visible, keptOfMasked)).toBeLessThan(1e-12);
  });

  it("leaves nothing behind of what it was", () => {
    const other = placed.map((value, i) => (isPresent[Math.floor(i / W)] ? value : 17 - value));
    const changed = encode(other, isPresent);
    const kept = [...changed.slice(0, C * W), ...rowsOf(changed.slice(C * W), KEPT)];
    expect(kept).toEqual(keptOfMasked);
  });

  it("lets the others come in any order", () => {
    const order = KEPT.map((_, i) => (5 * i + 3) % KEPT.length);
    const shuffled = encode(rowsOf(placed, order.map((i) => KEPT[i]!))); // biome-ignore format: one line
    expect(gap(shuffled.slice(0, C * W), visible.slice(0, C * W))).toBeLessThan(1e-12);
    expect(gap(shuffled.slice(C * W), rowsOf(visible.slice(C * W), order))).toBeLessThan(1e-12);
  });
});

describe("a turn of the region (M9)", () => {
  // Quarter turn of every magnification: sides 2 and 4.
  const turn = [2, 4].flatMap((n, m) =>
    Array.from({ length: n * n }, (_, k) => (m === 0 ? 0 : 4) + (k % n) * n + (n - 1 - Math.floor(k / n))),
  );
  const before = encode(sum(FEATURES, POSITIONS));

  it("together with the positions changes no class token and moves the others along", () => {
    const after = encode(sum(rowsOf(FEATURES, turn), rowsOf(POSITIONS, turn)));
    expect(gap(after.slice(0, C * W), before.slice(0, C * W))).toBeLessThan(1e-12);
    expect(gap(after.slice(C * W), rowsOf(before.slice(C * W), turn))).toBeLessThan(1e-12);
  });

  it("without them changes class tokens, unless positions are the same all around", () => {
    const after = encode(sum(rowsOf(FEATURES, turn), POSITIONS));
    expect(gap(after.slice(0, C * W), before.slice(0, C * W))).toBeGreaterThan(1e-3);
    const orbit = [ALL, turn, turn.map((t) => turn[t]!), turn.map((t) => turn[turn[t]!]!)];
    const even = orbit.map((order) => rowsOf(POSITIONS, order)).reduce(sum).map((value) => value / 4); // biome-ignore format: one line
    const [still, turned] = [encode(sum(FEATURES, even)), encode(sum(rowsOf(FEATURES, turn), even))];
    expect(gap(turned.slice(0, C * W), still.slice(0, C * W))).toBeLessThan(1e-12);
  });
});

describe("the block with a gradient of its own", () => {
  it.each([undefined, ALL.map((t) => Number(t % 3 !== 1))])("gives what the plain one gives", (isPresent) => {
    const rows = sum(FEATURES, POSITIONS);
    expect(gap(encode(rows, isPresent, false), encode(rows, isPresent, true))).toBeLessThan(1e-12);
  });
});
