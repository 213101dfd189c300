import type { tf } from "@parfocal/tensor";
import { describe, expect, it } from "vitest";
import { buildModel } from "../build-model.ts";
import { tokenGrid } from "../layers/token-grid.ts";
import { applyTrunk } from "../layers/trunk.ts";
import type { ForwardContext } from "../model.ts";
import { countParameters } from "../parameter.ts";
import { type Doubles, doubleFiller, runInDoubles } from "../testing/eager-model.ts";
import { gradientErrors } from "../testing/gradient-check.ts";
import { double, inDoubles, numbersOf } from "../testing/in-doubles.ts";
import { f16Weights, tinyTransmil } from "../testing/tiny-transmil.ts";
import { attendTiles, encodePlaces, type TransmilConfig } from "./transmil.ts";

const model = tinyTransmil();
const weights = f16Weights();
const SEVEN = doubleFiller(42, 21, 2);

function expectNear(found: Doubles, expected: Doubles): void {
  expect(found).toHaveLength(expected.length);
  for (const [i, value] of expected.entries()) expect(Math.abs((found[i] ?? Number.NaN) - value)).toBeLessThan(1e-7);
}

function logitsOf(features: Doubles): number[] {
  return runInDoubles(model, { features, weights }, ({ logits }) => [...logits.dataSync()]);
}

/** What the head's layers get, from the weights of F16. */
function contextOfF16(): ForwardContext {
  return {
    isInference: true,
    parameter: <T extends tf.Tensor>(name: string) => {
      const shape = model.parameters.find((spec) => spec.name === `head.${name}`)?.shape ?? [];
      return double<T>(weights[`head.${name}`] ?? [], shape);
    },
    dropout: (_site, x) => x,
    draw: (_site, fixed) => fixed,
  };
}

describe("the numbers of F16", () => {
  it("come out of the first layer and PPEG", () => {
    const config = model.config.head as TransmilConfig;
    const { token, square } = inDoubles(() => {
      const context = contextOfF16();
      const hidden = applyTrunk(config, double<tf.Tensor2D>(SEVEN, [7, 6]), context);
      const grid = tokenGrid(7, config.landmarks);
      const first = attendTiles(config, { hidden, grid }, context);
      return { token: numbersOf(first.token), square: numbersOf(encodePlaces(first.square, grid, context)) };
    });
    expectNear(token.slice(0, 4), [0.49590831, -0.17344075, -0.10570017, 0.19202548]);
    expectNear(square.slice(0, 4), [0.25157312, 0.16294528, 0.18035988, 0.1008462]);
  });

  it("come out as logits of seven tiles, of which two are repeated, and of nine", () => {
    expectNear(logitsOf(SEVEN), [-0.82984576, 0.4842924]);
    expectNear(logitsOf(doubleFiller(54, 22, 2)), [-0.73927447, -0.01854472]);
  });
});

it("has as many parameters as the public program with 1024 features and two classes (F10)", () => {
  const { parameters } = buildModel({ dIn: 1024, head: { kind: "transmil" }, task: model.config.task });
  expect(countParameters(parameters)).toBe(2_672_146);
});

it("has the gradient of central differences in f64", () => {
  const smooth = buildModel({ ...model.config, head: { ...model.config.head, activation: "tanh" } });
  for (const error of Object.values(gradientErrors(smooth, { features: SEVEN, weights })))
    expect(error).toBeLessThan(1e-6);
});

it("depends on the order of the tiles", () => {
  const turned = [...SEVEN.slice(6), ...SEVEN.slice(0, 6)];
  const [a, b] = [logitsOf(SEVEN), logitsOf(turned)];
  expect(Math.abs((a[0] ?? 0) - (b[0] ?? 0))).toBeGreaterThan(1e-4);
});

it.each([1, 2, 3, 4, 5, 16, 17])("gives finite logits of %i tiles, and attention that sums to one (F27)", (nTiles) => {
  const { logits, attention } = runInDoubles(
    model,
    { features: doubleFiller(6 * nTiles, 21, 2), weights },
    (output) => ({
      logits: [...output.logits.dataSync()],
      attention: [...(output.attention?.dataSync() ?? [])],
    }),
  );
  expect(logits.every(Number.isFinite)).toBe(true);
  expect(attention).toHaveLength(nTiles);
  expect(attention.reduce((sum, weight) => sum + weight, 0)).toBeCloseTo(1, 12);
});

it("refuses heads that do not divide the width, and an even number of taps", () => {
  const build = (head: Record<string, unknown>) => () =>
    buildModel({ dIn: 6, head: { kind: "transmil", ...head }, task: model.config.task });
  expect(build({ hidden: [12] })).toThrow("head.heads is 8");
  expect(build({ convTaps: 32 })).toThrow("head.convTaps is 32");
});
