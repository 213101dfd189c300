import { createEagerEngine } from "@parfocal/engine";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { distance } from "../testing/graph-runs.ts";
import { writeRegionCohort } from "../testing/region-cohort.ts";
import { openWorld, type World } from "../testing/world.ts";
import { pretrain } from "./pretrain.ts";
import type { PretrainDeps, PretrainedMixer, RegionBag } from "./pretrain-job.ts";
import { parsePretrainSpec } from "./pretrain-spec.ts";

const MIXER = { regionTiles: 2, levelCount: 2, width: 16, depth: 1, heads: 2 };
const MASKED = { decoderWidth: 24, decoderHeads: 2, decoderDepth: 1 };

describe("pretraining eagerly", () => {
  let world: World;
  let bags: RegionBag[];

  beforeAll(async () => {
    world = await openWorld();
    bags = await writeRegionCohort(world.store, { nSlides: 3, side: 4, levelCount: 2, d: 8, seed: 1n });
  });
  afterAll(() => world.close());

  async function mixerOf(deps: PretrainDeps, change: object): Promise<PretrainedMixer> {
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

  it.each([{}, { layerScaleInit: 0.5, dropPath: 0.3 }])(
    "gives the losses and weights of captured updates: %j",
    async (change) => {
      const trainer = await createEagerEngine({ backend: "tfjs-cpu", store: world.store, cacheBytes: 0 });
      const captured = await mixerOf(world.deps("captured"), change);
      const eager = await mixerOf({ ...world.deps("eager"), trainer }, change);
      expect(captured.history).toHaveLength(4);
      for (const [i, { loss }] of captured.history.entries()) expect(eager.history[i]?.loss).toBeCloseTo(loss, 4);
      for (const [name, values] of Object.entries(captured.weights)) {
        // A key's bias moves every score of a query alike: its gradient is rounding alone, which Adam scales to whole steps.
        if (!name.endsWith("qkv.bias")) expect(distance(eager.weights[name], values)).toBeLessThan(2e-3);
      }
    },
  );
});
