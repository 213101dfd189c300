import { runEagerly, tf } from "@parfocal/tensor";
import { describe, expect, it } from "vitest";
import { buildModel } from "../build-model.ts";
import { type Doubles, runInDoubles } from "../testing/eager-model.ts";
import { crossEntropy } from "../testing/gradient-check.ts";
import { F12_BAG, f12Model } from "../testing/tiny-dsmil.ts";

const TASK = { kind: "binary", classes: ["no", "yes"] };
const model = f12Model();

function expectNear(found: Doubles, expected: Doubles): void {
  expect(found).toHaveLength(expected.length);
  for (const [i, value] of expected.entries()) expect(Math.abs((found[i] ?? Number.NaN) - value)).toBeLessThan(1e-7);
}

describe("the numbers of F12", () => {
  const output = runInDoubles(model, F12_BAG, (result) => ({
    logits: Array.from(result.logits.dataSync()),
    attention: Array.from(result.attention?.dataSync() ?? []),
    instance: Array.from(result.auxiliary?.logits.dataSync() ?? []),
    loss: crossEntropy(result, 1).dataSync()[0],
  }));

  it("come out of both streams", () => {
    expectNear(output.logits, [-0.09237508, -0.225386]);
    // Tile 2 is critical for the first class, tile 3 for the second.
    expectNear(output.instance, [0.24604796, 0.239492]);
  });

  it("come out of the attention to the critical tiles", () => {
    const column = (k: number) => output.attention.filter((_, i) => i % 2 === k);
    expectNear(column(0), [0.17639754, 0.17858478, 0.25748499, 0.1817705, 0.20576218]);
    expectNear(column(1), [0.1911589, 0.19601752, 0.1714879, 0.24554657, 0.1957891]);
  });

  it("come out of the loss, half of it the instances'", () => {
    expect(output.loss).toBeCloseTo(0.72914652, 7);
  });
});

describe("a decision by both streams", () => {
  const sigmoid = (z: number) => 1 / (1 + Math.exp(-z));
  const softmax = (z: readonly number[]) =>
    z.map((each) => Math.exp(each) / z.reduce((sum, x) => sum + Math.exp(x), 0));
  const [bag, instance] = [
    [-0.09237508, -0.225386],
    [0.24604796, 0.239492],
  ] as const;
  const served = (task: object) => {
    const both = buildModel({ dIn: 4, head: { kind: "dsmil", decision: "mean" }, task });
    return runInDoubles(both, F12_BAG, (result) => Array.from(result.logits.dataSync()));
  };

  it("has the mean of their probabilities, of independent classes", () => {
    const logits = served({ kind: "multilabel", classes: ["a", "b"] });
    const means = bag.map((z, k) => (sigmoid(z) + sigmoid(instance[k] ?? 0)) / 2);
    expectNear(logits.map(sigmoid), means);
  });

  it("has the mean of their probabilities, of classes that compete", () => {
    const means = softmax(bag).map((p, k) => (p + (softmax(instance)[k] ?? 0)) / 2);
    expectNear(softmax(served(TASK)), means);
  });

  it("is not what training looks at", () => {
    const both = buildModel({ dIn: 4, head: { kind: "dsmil", decision: "mean" }, task: TASK });
    const weights = Object.entries(F12_BAG.weights).map(([name, values]): [string, tf.Tensor] => {
      const shape = both.parameters.find((each) => each.name === name)?.shape ?? [];
      return [name, tf.tensor([...values], [...shape])];
    });
    const build = () => {
      const features = tf.tensor2d([...F12_BAG.features], [5, 4]);
      return { logits: both.forward({ features }, Object.fromEntries(weights), (_site, x) => x).logits };
    };
    const { logits } = runEagerly({ name: "training", inputs: [], build }, {});
    for (const [k, value] of bag.entries()) expect(logits?.data[k]).toBeCloseTo(value, 5);
  });
});

describe("learned values", () => {
  it("are a linear layer with ReLU: the identity of it gives what no layer gives to positive tiles", () => {
    const learned = buildModel({ dIn: 4, head: { kind: "dsmil", value: "learned" }, task: TASK });
    const features = F12_BAG.features.map(Math.abs);
    const identity = Array.from({ length: 16 }, (_, i) => Number(i % 5 === 0));
    const weights = { ...F12_BAG.weights, "head.value.weight": identity, "head.value.bias": [0, 0, 0, 0] };
    const logits = (which: typeof model, values: Readonly<Record<string, Doubles>>) =>
      runInDoubles(which, { features, weights: values }, (result) => Array.from(result.logits.dataSync()));
    expectNear(logits(learned, weights), logits(model, F12_BAG.weights));
  });
});
