import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { PlantedSlide } from "./cohort.ts";
import { PARENT, trainedModel, trainRequest, uploadCohort } from "./requests.ts";
import { startServices } from "./services.ts";

/** Trains through services of their own whose trainer is `trainer`; gives probabilities of every slide. */
export async function predictedAfterTraining(trainer: string, slides: readonly PlantedSlide[]): Promise<number[]> {
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
