import { runEagerly, tf } from "@parfocal/tensor";
import type { Model } from "../build-model.ts";
import { bagPorts, modelInputFromPorts } from "../capture-aggregate.ts";
import type { Weights } from "../parameter.ts";

/** What a model makes of features `[N, D]`, eagerly and without dropout. `attention` is empty in heads without it. */
export function runModel(
  model: Model,
  weights: Weights,
  features: Float32Array,
): { logits: number[]; attention: number[] } {
  const n = features.length / model.config.dIn;
  const constants = Object.fromEntries(
    model.parameters.map(({ name, shape }) => [
      name,
      { dtype: "f32" as const, shape, data: weights[name] ?? features },
    ]),
  );
  const outputs = runEagerly(
    {
      name: "test",
      inputs: bagPorts(model),
      constants,
      build(tensors) {
        const { logits, attention } = model.forward(modelInputFromPorts(tensors), tensors);
        return { logits, attention: attention ?? tf.zeros([0]) };
      },
    },
    { features: { dtype: "f32", shape: [n, model.config.dIn], data: features } },
  );
  return { logits: Array.from(outputs.logits?.data ?? []), attention: Array.from(outputs.attention?.data ?? []) };
}
