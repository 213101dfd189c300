import { describe, expect, it } from "vitest";
import { buildModel, type Model, type ModelOutput } from "../build-model.ts";
import { sizeOfShape } from "../parameter.ts";
import { doubleFiller, gradientsInDoubles, runInDoubles } from "../testing/eager-model.ts";
import { crossEntropy, gradientErrors } from "../testing/gradient-check.ts";

const BINARY = { kind: "binary", classes: ["no", "yes"] };
const SMALL = { kind: "dtfd", hidden: [6], activation: "tanh", attentionWidth: 4, groups: 3, splits: 2 };

function modelOf(head: Record<string, unknown> = {}, task: Record<string, unknown> = BINARY): Model {
  return buildModel({ dIn: 5, head: { ...SMALL, ...head }, task });
}

function bagFor(model: Model, nTiles: number) {
  const entries = model.parameters.map(({ name, shape }, i) => [name, doubleFiller(sizeOfShape(shape), 300 + i, 1)]);
  return { features: doubleFiller(nTiles * 5, 7, 2), weights: Object.fromEntries(entries) as Record<string, number[]> };
}

const read = ({ logits, attention }: ModelOutput) => ({
  logits: [...logits.dataSync()],
  attention: [...(attention?.dataSync() ?? [])],
});

describe.each(["afs", "max", "max-min"])("DTFD that distills by %s", (distill) => {
  it("has the gradient of central differences in f64 in its second tier", () => {
    const model = modelOf({ distill });
    const bag = bagFor(model, 7);
    const errors = gradientErrors(model, bag);
    for (const [name, error] of Object.entries(errors)) {
      if (name.startsWith("head.second.")) expect(error).toBeLessThan(1e-6);
    }
    expect(Object.keys(errors).filter((name) => name.startsWith("head.second."))).toHaveLength(7);
  });

  it.each([1, 2, 3, 8])(
    "gives finite logits and a finite loss of %i tiles, and attention that sums to one (F27)",
    (nTiles) => {
      const model = modelOf({ distill });
      const bag = bagFor(model, nTiles);
      const { logits, attention } = runInDoubles(model, bag, read);
      expect(logits.every(Number.isFinite)).toBe(true);
      expect(attention).toHaveLength(nTiles);
      expect(attention.reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 12);
      expect(Number.isFinite(runInDoubles(model, bag, (output) => crossEntropy(output, 1).dataSync()[0]))).toBe(true);
    },
  );
});

it("trains trunk and first tier by the first tier's loss alone", () => {
  const model = modelOf();
  const bag = bagFor(model, 7);
  const flat = { ...bag.weights, "head.second.classifier.weight": new Array<number>(12).fill(0) };
  const { gradients } = gradientsInDoubles(model, bag, (output) => crossEntropy(output, 1));
  const without = gradientsInDoubles(model, { ...bag, weights: flat }, (output) => crossEntropy(output, 1)).gradients;
  for (const name of model.parameters.map((spec) => spec.name)) {
    if (name.startsWith("head.second.")) continue;
    for (const [i, slope] of (gradients[name] ?? []).entries()) expect(without[name]?.[i]).toBeCloseTo(slope, 13);
  }
  // The second tier says nothing then, so central differences see the first one's loss only.
  const errors = gradientErrors(model, { ...bag, weights: flat });
  for (const [name, error] of Object.entries(errors)) {
    if (!name.startsWith("head.second.attention")) expect(error).toBeLessThan(1e-6);
  }
});

describe("the splits of inference", () => {
  it.each([
    ["softmax", BINARY],
    ["one sigmoid", { ...BINARY, link: "sigmoid" }],
  ])("are averaged as probabilities: %s", (_link, task) => {
    const all = modelOf({ splits: 3 }, task);
    const bag = bagFor(all, 9);
    const isSoftmax = all.nLogits === 2;
    const positive = (z: readonly number[]) => 1 / (1 + Math.exp(isSoftmax ? (z[0] ?? 0) - (z[1] ?? 0) : -(z[0] ?? 0)));
    // The first splits are the same whatever their number, so that a mean of two and of three tells the third one's.
    const mean = (splits: number) => positive(runInDoubles(modelOf({ splits }, task), bag, read).logits);
    const third = 3 * mean(3) - 2 * mean(2);
    expect(third).toBeGreaterThan(0);
    expect(third).toBeLessThan(1);
    const [one, two] = [mean(1), 2 * mean(2) - mean(1)];
    expect((one + two + third) / 3).toBeCloseTo(mean(3), 12);
    expect(new Set([one, two, third].map((p) => p.toFixed(9))).size).toBe(3);
  });

  it("make no difference with one sub-bag, where the order of the tiles makes none either", () => {
    const model = modelOf({ groups: 1, splits: 1 });
    const { features, weights } = bagFor(model, 6);
    const turned = [...features.slice(10), ...features.slice(0, 10)];
    const [straight, mixed] = [features, turned].map(
      (bag) => runInDoubles(model, { features: bag, weights }, read).logits,
    );
    const thrice = runInDoubles(modelOf({ groups: 1, splits: 3 }), { features, weights }, read).logits;
    for (const [k, logit] of (straight ?? []).entries()) expect(mixed?.[k]).toBeCloseTo(logit, 12);
    const margin = (z: readonly number[] = []) => (z[0] ?? 0) - (z[1] ?? 0);
    expect(margin(thrice)).toBeCloseTo(margin(straight), 12);
  });
});
