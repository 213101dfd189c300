import { describe, expect, it } from "vitest";
import { buildModel } from "../build-model.ts";
import { countParameters, sizeOfShape } from "../parameter.ts";
import { doubleFiller, runInDoubles } from "../testing/eager-model.ts";
import { crossEntropy, gradientErrors } from "../testing/gradient-check.ts";

const BINARY = { kind: "binary", classes: ["no", "yes"] };
const SMALL = { kind: "clam", hidden: [6], attentionWidth: 4, instances: 2 };

function bagFor(model: ReturnType<typeof buildModel>, nTiles: number) {
  const entries = model.parameters.map(({ name, shape }, i) => [name, doubleFiller(sizeOfShape(shape), 300 + i, 1)]);
  return { features: doubleFiller(nTiles * 5, 7, 2), weights: Object.fromEntries(entries) as Record<string, number[]> };
}

describe("parameter counts of CLAM with 1024 features and two classes (F10)", () => {
  // The public program's, but for the biases of the scores, which cancel in the softmax: 1 and 2 of them.
  it.each([
    ["single", 790_791 - 1],
    ["per-class", 791_048 - 2],
  ])("are the program's with branches %s", (branches, expected) => {
    const { parameters } = buildModel({ dIn: 1024, head: { kind: "clam", branches }, task: BINARY });
    expect(countParameters(parameters)).toBe(expected);
  });
});

describe.each(["single", "per-class"])("CLAM with branches %s", (branches) => {
  it.each([
    { instanceLoss: "svm", bagLoss: "ce", subtyping: true },
    { instanceLoss: "ce", bagLoss: "svm", subtyping: false },
  ])("has the gradient of central differences in f64: %j", (losses) => {
    const model = buildModel({ dIn: 5, head: { ...SMALL, branches, ...losses }, task: BINARY });
    for (const error of Object.values(gradientErrors(model, bagFor(model, 7)))) expect(error).toBeLessThan(1e-6);
  });

  it("serves gated attention pooling, and its loss does not care for the order of the tiles", () => {
    const model = buildModel({ dIn: 5, head: { ...SMALL, branches }, task: BINARY });
    const { features, weights } = bagFor(model, 7);
    const { instances: _k, ...attention } = SMALL;
    const plain = buildModel({ dIn: 5, head: { ...attention, kind: "gated-abmil", branches }, task: BINARY });
    const logits = (which: typeof model) =>
      runInDoubles(which, { features, weights }, (output) => [...output.logits.dataSync()]);
    expect(logits(model)).toEqual(logits(plain));
    const lossOf = (rows: readonly number[]) => {
      const mixed = rows.flatMap((row) => features.slice(5 * row, 5 * row + 5));
      return runInDoubles(model, { features: mixed, weights }, (output) => crossEntropy(output, 1).dataSync()[0]);
    };
    expect(lossOf([3, 6, 0, 2, 5, 1, 4])).toBeCloseTo(lossOf([0, 1, 2, 3, 4, 5, 6]) ?? Number.NaN, 12);
  });
});

it("refuses subtyping where classes do not exclude each other", () => {
  const task = { kind: "multilabel", classes: ["a", "b"] };
  expect(() => buildModel({ dIn: 5, head: { ...SMALL, subtyping: true }, task })).toThrow("head.subtyping is true");
});
