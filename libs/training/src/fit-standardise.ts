import type { RunRequest } from "@parfocal/engine";
import { captureGraph } from "@parfocal/tensor";
import type { BagInput } from "./bag-inputs.ts";
import { floatsFromHostTensor } from "./host-tensor.ts";
import type { TrainPlan } from "./plan.ts";
import { type ChunkOptions, runInChunks } from "./run-in-chunks.ts";
import { momentsBuild } from "./step-graphs.ts";

/**
 * Values of the fixed parameters `[F]`: mean and one over the standard deviation of each feature over all tiles of the
 * training part, computed by the engine per bag and joined here in f64. A feature that never varies gets the scale 1.
 * Empty when the model does not standardise.
 *
 * Source: Chan, Golub & LeVeque 1979, the pairwise update of means and sums of squares. Standard deviation of the sample
 * as a population (divided by n), as the common scalers do.
 */
export async function fitStandardise(plan: TrainPlan, options: ChunkOptions): Promise<Float32Array<ArrayBuffer>> {
  if (!plan.model.config.standardise) return new Float32Array(plan.layout.nFixed);
  const inputs = plan.split.train.flatMap((row) => {
    const input = plan.inputs[row];
    return input === undefined ? [] : (input.members ?? [input]);
  });
  const total = createMoments(plan.model.config.dIn);
  for await (const { results, first } of runInChunks(momentRuns(plan, inputs), options)) {
    for (const [i, { outputs }] of results.entries()) {
      const n = inputs[first + i]?.n ?? 0;
      total.addBag(n, floatsFromHostTensor(outputs.mean, "mean"), floatsFromHostTensor(outputs.spread, "spread"));
    }
  }
  return total.meanAndScale();
}

function* momentRuns(plan: TrainPlan, inputs: readonly BagInput[]): Generator<RunRequest, void, undefined> {
  const graph = captureGraph(momentsBuild(plan.model));
  for (const { feeds } of inputs) {
    const { features } = feeds;
    if (features === undefined) continue;
    yield { graph, feeds: { features }, fetches: { mean: { kind: "inline" }, spread: { kind: "inline" } } };
  }
}

/** Running mean and sum of squared distances of D features. */
export interface Moments {
  /** Adds a bag of `n` tiles by its own mean and sum of squared distances from it, both `[D]`. */
  addBag(n: number, mean: ArrayLike<number>, spread: ArrayLike<number>): void;
  /** `[2 D]`: the means, then the scales. */
  meanAndScale(): Float32Array<ArrayBuffer>;
}

/** Moments of `d` features before the first bag. */
export function createMoments(d: number): Moments {
  let count = 0;
  const means = new Float64Array(d);
  const spreads = new Float64Array(d);
  return {
    addBag(n, mean, spread) {
      const after = count + n;
      for (let k = 0; k < d; k++) {
        const delta = (mean[k] ?? 0) - (means[k] ?? 0);
        means[k] = (means[k] ?? 0) + (delta * n) / after;
        spreads[k] = (spreads[k] ?? 0) + (spread[k] ?? 0) + (delta * delta * count * n) / after;
      }
      count = after;
    },
    meanAndScale() {
      const scales = spreads.map((spread) => (spread > 0 ? Math.sqrt(count / spread) : 1));
      const values = new Float32Array(2 * d);
      values.set(means);
      values.set(scales, d);
      return values;
    },
  };
}
