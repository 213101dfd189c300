import type { StepEngine } from "@parfocal/engine";
import { expect } from "vitest";
import { pretrain } from "../pretrain/pretrain.ts";
import type { PretrainDeps, PretrainedMixer, RegionBag } from "../pretrain/pretrain-job.ts";
import { parsePretrainSpec } from "../pretrain/pretrain-spec.ts";
import { distance } from "./graph-runs.ts";
import type { World } from "./world.ts";

const MIXER = { regionTiles: 2, levelCount: 2, width: 16, depth: 1, heads: 2 };
const MASKED = { decoderWidth: 24, decoderHeads: 2, decoderDepth: 1 };

/** Changes of a mixer that draws nothing within a step. */
export const MIXER_CHANGES: readonly object[] = [{}, { layerScaleInit: 0.5, dropPath: 0.3 }];

/** What is pretrained on, and the trainer that is compared with the world's engine. */
export interface BothPretrainings {
  readonly world: World;
  readonly bags: readonly RegionBag[];
  readonly trainer: StepEngine;
}

/** Pretrains a small mixer by captured updates and by `trainer`, and expects the same losses and weights. */
export async function expectSamePretraining({ world, bags, trainer }: BothPretrainings, change: object) {
  const captured = await mixerOf(bags, world.deps("captured"), change);
  const eager = await mixerOf(bags, { ...world.deps("eager"), trainer }, change);
  expect(captured.history).toHaveLength(4);
  for (const [i, { loss }] of captured.history.entries()) expect(eager.history[i]?.loss).toBeCloseTo(loss, 4);
  for (const [name, values] of Object.entries(captured.weights)) {
    // A key's bias moves every score of a query alike: its gradient is rounding alone, which Adam scales to whole steps.
    if (!name.endsWith("qkv.bias")) expect(distance(eager.weights[name], values)).toBeLessThan(2e-3);
  }
}

async function mixerOf(bags: readonly RegionBag[], deps: PretrainDeps, change: object): Promise<PretrainedMixer> {
  const sizes = { batchRegions: 8, totalRegions: 32, checkpointUpdates: 2, validationFraction: 0.34 };
  const spec = parsePretrainSpec({
    mixer: { ...MIXER, ...change },
    masked: MASKED,
    optimiser: { learningRate: 1e-3 },
    ...sizes,
  });
  for await (const event of pretrain({ spec, bags, regionsPrefix: "derived" }, deps, new AbortController().signal)) {
    if (event.kind === "done") return event.pretrained;
  }
  throw new Error("the pretraining ended without a mixer");
}
