import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { createSilentLogger } from "@parfocal/runtime";
import { aggregateConfigFromEnv, startAggregate } from "@parfocal/service-aggregate";
import { describe, expect, it } from "vitest";
import { plantCohort } from "../lib/cohort.ts";
import { predictedAfterTraining } from "../lib/trained-by.ts";

const slides = plantCohort(12);

const hasNative = await import("@tensorflow/tfjs-node-gpu" as string).then(
  () => true,
  () => false,
);
if (hasNative) console.warn("the refusal to start without tfjs-node-gpu is not tested: it is installed");

describe("a stage that trains eagerly", () => {
  it("publishes a model that predicts as one trained in captured steps does", async () => {
    const [captured, eager] = [
      await predictedAfterTraining("captured", slides),
      await predictedAfterTraining("tfjs-cpu", slides),
    ];
    // AdamW divides by roots of squared gradients, which magnifies differences in the last places.
    for (const [i, probability] of captured.entries()) expect(eager[i]).toBeCloseTo(probability, 3);
  });

  it.skipIf(hasNative)("does not start when its package is missing, and says which", async () => {
    const store = await mkdtemp(join(tmpdir(), "parfocal-eager-"));
    const env = { PORT: "0", PARFOCAL_STORE: pathToFileURL(store).href, PARFOCAL_TRAINER: "tfjs-node-gpu" };
    await expect(startAggregate(aggregateConfigFromEnv(env), createSilentLogger(), env)).rejects.toMatchObject({
      code: "PRECONDITION_FAILED",
      message: expect.stringContaining("@tensorflow/tfjs-node-gpu is not installed") as string,
    });
  });
});
