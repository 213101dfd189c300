import { tf } from "@parfocal/tensor";
import { describe, expect, it } from "vitest";
import { doubleFiller } from "../testing/eager-model.ts";
import { double, inDoubles, numbersOf } from "../testing/in-doubles.ts";
import { pretrainInput, pretrainNumbers, pretrainWeights } from "../testing/pretrain-case.ts";
import { buildPretrainModel, type PretrainModel } from "./pretraining.ts";

const SMALL = { width: 8, depth: 2, heads: 2, classTokens: 2, regionTiles: 1, levelCount: 2 };
const DECODER = { decoderWidth: 12, decoderHeads: 2 };
const PROJECTOR = { projectorWidth: 6, projectionWidth: 5, temperature: 0.5 };

const CASES: readonly (readonly [string, Record<string, unknown>, readonly number[][]])[] = [
  ["full regions", { mixer: SMALL, masked: DECODER }, []],
  ["missing tiles", { mixer: SMALL, masked: { ...DECODER, weighting: "ratio" } }, [[2], [0, 3]]],
  ["norms of magnifications", { mixer: { ...SMALL, levelNorm: true }, masked: DECODER }, []],
  ["LayerScale", { mixer: { ...SMALL, layerScaleInit: 0.1 }, masked: DECODER }, [[2], [0, 3]]],
  ["LayerScale and drop-path", { mixer: { ...SMALL, layerScaleInit: 0.1, dropPath: 0.4 }, masked: DECODER }, []],
  ["a contrastive objective", { mixer: SMALL, masked: DECODER, contrastive: PROJECTOR }, []],
  [
    "no negatives of the same slide",
    {
      mixer: SMALL,
      masked: { ...DECODER, decoderDepth: 1 },
      contrastive: { ...PROJECTOR, dropSameSlideNegatives: true },
    },
    [[], [4], [], [1]],
  ],
];

type Weights = Readonly<Record<string, readonly number[]>>;

function lossAndGradients(
  model: PretrainModel,
  missing: readonly number[][],
  weights: Weights,
  withGradients: boolean,
) {
  const numbers = pretrainNumbers(model, model.config.contrastive ? 4 : 2, missing);
  return inDoubles(() => {
    const input = pretrainInput(model, numbers, missing.length > 0);
    const names = model.parameters.map(({ name }) => name);
    const tensors = model.parameters.map(({ name, shape }) => double(weights[name] ?? [], shape));
    const lossOf = (...values: tf.Tensor[]): tf.Scalar =>
      model.forward(input, Object.fromEntries(values.map((value, i) => [names[i] ?? "", value]))).loss;
    if (!withGradients) return { loss: numbersOf(lossOf(...tensors))[0]!, gradients: {} };
    const { value, grads } = tf.valueAndGrads(lossOf)(tensors);
    const gradients = names.map((name, i): [string, number[]] => [name, numbersOf(grads[i]!)]);
    return { loss: numbersOf(value)[0]!, gradients: Object.fromEntries(gradients) as Record<string, number[]> };
  });
}

/** Central differences with this step err by step² · f''' in f64, which is below 1e-9 for losses near 1. */
const STEP = 1e-5;

describe.each(CASES)("the gradient with %s", (_name, config, missing) => {
  const model = buildPretrainModel({ dIn: 5, ...config });
  const weights = pretrainWeights(model);

  it("agrees with central differences in f64 for every parameter", () => {
    const { gradients } = lossAndGradients(model, missing, weights, true);
    const slopes = Object.entries(gradients).map(([name, gradient], p) => {
      const direction = doubleFiller(gradient.length, 900 + p, 2);
      const at = (step: number) => {
        const moved = (weights[name] ?? []).map((value, i) => value + step * direction[i]!);
        return lossAndGradients(model, missing, { ...weights, [name]: moved }, false).loss;
      };
      const found = gradient.reduce((sum, value, i) => sum + value * direction[i]!, 0);
      return { name, found, expected: (at(STEP) - at(-STEP)) / (2 * STEP) };
    });
    expect(slopes).toHaveLength(model.parameters.length);
    const floor = 1e-3 * Math.max(...slopes.map(({ expected }) => Math.abs(expected)));
    const errors = slopes.map(({ name, found, expected }) => {
      return { name, error: Math.abs(found - expected) / Math.max(Math.abs(expected), floor) };
    });
    // tfjs's erf is a polynomial that errs by 1.5e-7, while the gradient of the projector's GELU is that of the exact one: slopes
    // behind it differ by that much of the steepest, which is up to 1e-4 of the flattest that count here.
    const bound = model.config.contrastive ? 1e-4 : 1e-6;
    expect(errors.filter(({ error }) => !(error < bound))).toEqual([]);
  });
});
