import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { commonV1, type gatewayV1 } from "@parfocal/protocol";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { PLANTED_DIM, plantCohort } from "../lib/cohort.ts";
import { encodeNpy } from "../lib/npy.ts";
import { trainedModel, trainRequest, upload, uploadCohort } from "../lib/requests.ts";
import { type Services, startServices } from "../lib/services.ts";

describe("what a prediction says of its own certainty", () => {
  const slides = plantCohort(60);
  let services: Services;
  let names: string[];
  let model: gatewayV1.Model;

  beforeAll(async () => {
    const folder = await mkdtemp(join(tmpdir(), "parfocal-certainty-"));
    services = await startServices({ PARFOCAL_STORE: pathToFileURL(folder).href });
    names = await uploadCohort(services.clients, slides);
    model = await trainWith("flags", {});
  });
  afterAll(async () => {
    await services?.close();
  });

  async function trainWith(modelId: string, spec: Parameters<typeof commonV1.TrainingSpec.fromPartial>[0]) {
    const request = trainRequest(slides, names, { modelId, epochs: 2 });
    const split = { validationFraction: 0.4, testFraction: 0 };
    const merged = commonV1.TrainingSpec.fromPartial({ ...request.spec, split, ...spec });
    return trainedModel(services.clients, await services.clients.training.train({ ...request, spec: merged }));
  }

  const predict = async (version: gatewayV1.Model, bag: string) => {
    const { prediction } = await services.clients.prediction.predict({ model: version.name, bag });
    if (prediction === undefined) throw new Error("no prediction came");
    return prediction;
  };

  /** A slide of another world: every feature 8 higher. */
  const stranger = async () => {
    const tiles = Float32Array.from({ length: 30 * PLANTED_DIM }, (_, i) => 8 + Math.sin(i));
    return (await upload(services.clients, "stranger.npy", encodeNpy([30, PLANTED_DIM], tiles))).bag.name;
  };

  it("is a set with its stated coverage and the patients it rests on", async () => {
    const { predictionSet, typicality } = await predict(model, names[0] ?? "");
    // 12 of 30 patients validate.
    expect(predictionSet).toMatchObject({ coverage: 0.9, isClassConditional: false, patientCount: 12 });
    expect(predictionSet?.labels.every((label) => ["normal", "tumour"].includes(label))).toBe(true);
    expect(typicality).toMatchObject({ isUnlike: false, reason: "" });
  });

  it("is a flag with the number and the reason for a slide unlike the training slides", async () => {
    const { typicality } = await predict(model, await stranger());
    expect(typicality).toMatchObject({ isUnlike: true, percentile: 100 });
    expect(typicality?.reason).toContain("times as far off as the median training bag's");
  });

  it("is a refusal where the specification says so, and no set where the coverage takes more patients", async () => {
    const strict = await trainWith("refuses", {
      outliers: { action: commonV1.OutlierOptions_Action.ACTION_REFUSE },
      calibration: { coverage: 0.99 },
    });
    await expect(predict(strict, await stranger())).rejects.toMatchObject({
      code: "PRECONDITION_FAILED",
      details: { precondition: "TYPICAL_BAG" },
    });
    const usual = await predict(strict, names[0] ?? "");
    expect(usual.predictionSet).toBeUndefined();
    expect(usual.typicality?.isUnlike).toBe(false);
  });

  it("ends a training whose options are out of bounds", async () => {
    await expect(trainWith("wrong", { calibration: { coverage: 1 } })).rejects.toThrow("calibration.coverage is 1");
  });
});
