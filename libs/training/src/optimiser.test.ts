import type { ConfigObject } from "@parfocal/models";
import { runEagerly, tf } from "@parfocal/tensor";
import { describe, expect, it } from "vitest";
import { createOptimiser } from "./optimiser.ts";
import { parseOptimiser } from "./optimiser-config.ts";

/** Runs updates on `0.5 p0^2 + p1^2` from (1, -2) and gives p. */
function minimise(
  json: ConfigObject,
  nSteps: number,
  { decayed = [1, 1], scales }: { readonly decayed?: number[]; readonly scales?: number[] } = {},
): number[] {
  const config = parseOptimiser(json);
  const optimiser = createOptimiser(config);
  const outputs = runEagerly(
    {
      name: "minimise",
      inputs: [],
      build() {
        const slots = Object.fromEntries(optimiser.slotNames.map((name) => [name, tf.zeros([2]) as tf.Tensor1D]));
        let state = { weights: tf.tensor1d([1, -2]), slots };
        for (let step = 1; step <= nSteps; step++) {
          const gradients = tf.mul<tf.Tensor1D>(state.weights, tf.tensor1d([1, 2]));
          const hyper = tf.tensor1d(optimiser.hyper(step, config.learningRate));
          const input = { gradients, hyper, decayMask: () => tf.tensor1d(decayed) };
          state = { ...optimiser.update(state, scales ? { ...input, stepScale: tf.tensor1d(scales) } : input) };
        }
        return { weights: state.weights };
      },
    },
    {},
  );
  return Array.from(outputs.weights?.data ?? []);
}

describe("optimisers", () => {
  it("move as the numbers of F20 say: Adam with L2 in the gradient", () => {
    const [p0, p1] = minimise({ kind: "adam", learningRate: 0.01, weightDecay: 0.1 }, 2);
    expect(p0).toBeCloseTo(0.98000275, 6);
    expect(p1).toBeCloseTo(-1.98000134, 6);
  });

  it("move as the numbers of F20 say: AdamW with decoupled decay", () => {
    const [p0, p1] = minimise({ kind: "adamw", learningRate: 0.01, weightDecay: 0.1 }, 2);
    expect(p0).toBeCloseTo(0.97801404, 6);
    expect(p1).toBeCloseTo(-1.97601361, 6);
  });

  it("leave numbers without decay out of decoupled decay", () => {
    const [p0, p1] = minimise({ kind: "adamw", learningRate: 0.01, weightDecay: 0.1 }, 2, { decayed: [1, 0] });
    const [, plain] = minimise({ kind: "adamw", learningRate: 0.01, weightDecay: 0 }, 2);
    expect(p0).toBeCloseTo(0.97801404, 6);
    expect(p1).toBeCloseTo(plain ?? 0, 7);
  });

  it("move many numbers as they move few", () => {
    const [few, many] = [64, 2 ** 20];
    const optimiser = createOptimiser(parseOptimiser({ kind: "adamw", learningRate: 0.01, weightDecay: 0.1 }));
    const update = (size: number) => {
      const pattern = (factor: number) => {
        const index = tf.mod(tf.range(0, size, 1), few);
        return tf.sin(tf.add(tf.mul(index, factor), factor)) as tf.Tensor1D;
      };
      const state = {
        weights: pattern(0.3),
        slots: { moment1: pattern(0.5), moment2: tf.abs<tf.Tensor1D>(pattern(0.7)) },
      };
      const given = { gradients: pattern(0.9), hyper: tf.tensor1d(optimiser.hyper(3, 0.01)), stepScale: pattern(1.1) };
      const decayMask = () => tf.cast(tf.greater(pattern(1.3), 0), "float32") as tf.Tensor1D;
      const next = optimiser.update(state, { ...given, decayMask });
      return { weights: next.weights, ...next.slots };
    };
    const outputs = [few, many].map((size) =>
      runEagerly({ name: "update", inputs: [], build: () => update(size) }, {}),
    );
    for (const name of ["weights", "moment1", "moment2"]) {
      const [expected = [], found = []] = outputs.map((tensors) => Array.from(tensors[name]?.data ?? []));
      expect(found.slice(0, few)).toEqual(expected);
      expect(found.slice(-few)).toEqual(expected);
      expect(found).toHaveLength(many);
    }
  });

  it("take shorter steps where these are scaled, and decay as before: worked by hand for one step", () => {
    // AdamW's first step is the step size times the gradient's sign; decay takes lr · wd of the number.
    const [p0, p1] = minimise({ kind: "adamw", learningRate: 0.01, weightDecay: 0.1 }, 1, { scales: [0.5, 0] });
    expect(p0).toBeCloseTo(1 - 0.5 * 0.01 - 0.001, 6);
    expect(p1).toBeCloseTo(-2 + 0.002, 6);
    const sgd = minimise({ kind: "sgd", learningRate: 0.1, weightDecay: 0, momentum: 0 }, 1, { scales: [0.25, 1] });
    expect(sgd[0]).toBeCloseTo(1 - 0.25 * 0.1, 6);
  });

  // The numbers of RAdam and of what is around it: torch.optim.RAdam(decoupled_weight_decay=True) and torch.optim.SGD of torch 2.13 in f64,
  // with slow weights by `slow += alpha (fast - slow); fast = slow` in a script of its own on the same loss.
  const RADAM = { kind: "radam", learningRate: 0.01, weightDecay: 0.1 };

  it.each([
    [1, 0.989, -1.958],
    [2, 0.97806889, -1.91648411],
    [5, 0.94570476, -1.79494519],
    [6, 0.94450176, -1.7928939],
    [7, 0.9432313, -1.79077649],
    [20, 0.92282046, -1.7594577],
  ])("move as torch's RAdam, rectified from the sixth update: %i updates", (nSteps, ...expected) => {
    for (const [i, p] of minimise(RADAM, nSteps).entries()) expect(p).toBeCloseTo(expected[i] ?? 0, 6);
  });

  it("leave numbers without decay out of RAdam's, as a group of parameters of their own in torch does", () => {
    const [p0, p1] = minimise(RADAM, 20, { decayed: [1, 0] });
    expect(p0).toBeCloseTo(0.92282046, 6);
    expect(p1).toBeCloseTo(-1.7954985, 6);
  });

  it.each<[rule: ConfigObject, lookahead: ConfigObject, nSteps: number, p0: number, p1: number]>([
    [RADAM, { steps: 6, alpha: 0.5 }, 5, 0.94570476, -1.79494519],
    [RADAM, { steps: 6, alpha: 0.5 }, 6, 0.97225088, -1.89644695],
    [RADAM, {}, 7, 0.97095219, -1.89422503],
    [RADAM, {}, 12, 0.96796838, -1.8894013],
    [RADAM, {}, 20, 0.9593794, -1.87621976],
    [{ ...RADAM, beta1: 0.8, beta2: 0.9, epsilon: 1e-3 }, { steps: 2, alpha: 0.8 }, 7, 0.94948654, -1.82707791],
    [{ kind: "sgd", learningRate: 0.01, weightDecay: 0.1 }, { steps: 2 }, 5, 0.90698468, -1.6510148],
  ])("look ahead: %j by %j after %i updates", (rule, lookahead, nSteps, ...expected) => {
    for (const [i, p] of minimise({ ...rule, lookahead }, nSteps).entries()) expect(p).toBeCloseTo(expected[i] ?? 0, 6);
  });

  it("move by lookahead that goes the whole way as without it", () => {
    const lookahead = { steps: 2, alpha: 1 };
    expect(minimise({ ...RADAM, lookahead }, 7)).toEqual(minimise(RADAM, 7));
  });

  it("gather momentum in SGD: worked by hand for two steps", () => {
    // Step 1: b = g + 0.1 p = 1.1, p = 1 - 0.011. Step 2: b = 0.9 * 1.1 + 1.1 p.
    const first = 1 - 0.01 * 1.1;
    const second = first - 0.01 * (0.9 * 1.1 + 1.1 * first);
    expect(minimise({ kind: "sgd", learningRate: 0.01, weightDecay: 0.1 }, 2)[0]).toBeCloseTo(second, 6);
  });

  it("descend plainly in SGD without momentum", () => {
    expect(minimise({ kind: "sgd", learningRate: 0.1, weightDecay: 0, momentum: 0 }, 1)[0]).toBeCloseTo(0.9, 6);
  });

  it.each([
    [{ kind: "adam", learningRate: 0 }, "optimiser.learningRate is 0"],
    [{ kind: "adam", momentum: 0.9 }, 'optimiser has an unknown field "momentum"'],
    [{ kind: "lion" }, 'optimiser.kind is "lion"; it must be one of adam, adamw, sgd, radam'],
    [{ beta2: 1 }, "optimiser.beta2 is 1"],
    [{ kind: "sgd", epsilon: 1e-8 }, 'optimiser has an unknown field "epsilon"'],
    [{ lookahead: { steps: 0 } }, "optimiser.lookahead.steps is 0; it must be a whole number from 1 to 10000"],
    [{ lookahead: { alpha: 1.5 } }, "optimiser.lookahead.alpha is 1.5"],
    [{ lookahead: { k: 6 } }, 'optimiser.lookahead has an unknown field "k"'],
  ])("refuse %j", (json, message) => {
    expect(() => parseOptimiser(json)).toThrow(message);
  });
});
