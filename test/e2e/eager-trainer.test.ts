import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { createSilentLogger } from "@parfocal/runtime";
import { aggregateConfigFromEnv, startAggregate } from "@parfocal/service-aggregate";
import { describe, expect, it } from "vitest";
import { plantCohort } from "../lib/cohort.ts";
import { PARENT, trainedModel, trainRequest, uploadCohort } from "../lib/requests.ts";
import { startServices } from "../lib/services.ts";

const slides = plantCohort(12);

/** Trains through services of their own whose trainer is `trainer`; gives probabilities of every slide. */
async function trainedBy(trainer: string): Promise<number[]> {
  const store = await mkdtemp(join(tmpdir(), "parfocal-eager-"));
  const services = await startServices({ PARFOCAL_STORE: pathToFileURL(store).href, PARFOCAL_TRAINER: trainer });
  try {
    const { clients } = services;
    const names = await uploadCohort(clients, slides);
    await trainedModel(clients, await clients.training.train(trainRequest(slides, names, { epochs: 2 })));
    const probabilities: number[] = [];
    for (const bag of names) {
      const { prediction } = await clients.prediction.predict({ model: `${PARENT}/models/tumour`, bag });
      probabilities.push(prediction?.probabilities[1]?.probability ?? Number.NaN);
    }
    return probabilities;
  } finally {
    await services.close();
  }
}

const hasNative = await import("@tensorflow/tfjs-node-gpu" as string).then(
  () => true,
  () => false,
);
if (hasNative) console.warn("the refusal to start without tfjs-node-gpu is not tested: it is installed");

describe("a stage that trains eagerly", () => {
  it("publishes a model that predicts as one trained in captured steps does", async () => {
    const [captured, eager] = [await trainedBy("captured"), await trainedBy("tfjs-cpu")];
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
