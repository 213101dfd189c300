import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { aggregateV1, type commonV1, type gatewayV1 } from "@parfocal/protocol";
import { createStageClient } from "@parfocal/runtime";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { plantCohort } from "../lib/cohort.ts";
import { trainedModel, trainRequest, uploadCohort } from "../lib/requests.ts";
import { type Services, startServices } from "../lib/services.ts";

describe("what the aggregation stage says of many bags at once", () => {
  const slides = plantCohort(16);
  let services: Services;
  let model: gatewayV1.Model;
  let bags: commonV1.BagReference[];
  let stage: ReturnType<typeof createStageClient<typeof aggregateV1.AggregateServiceDefinition>>;

  beforeAll(async () => {
    const folder = await mkdtemp(join(tmpdir(), "parfocal-contract-"));
    services = await startServices({ PARFOCAL_STORE: pathToFileURL(folder).href });
    const { clients } = services;
    const names = await uploadCohort(clients, slides);
    model = await trainedModel(clients, await clients.training.train(trainRequest(slides, names, { epochs: 1 })));
    bags = await Promise.all(names.map(async (name) => (await clients.bags.getBag({ name })).bag!.reference!));
    stage = createStageClient(aggregateV1.AggregateServiceDefinition, services.aggregateAddress);
  });
  afterAll(async () => {
    stage?.close();
    await services?.close();
  });

  const predictMany = (request: Parameters<typeof aggregateV1.PredictManyRequest.fromPartial>[0]) =>
    Array.fromAsync(stage.calls.predictMany(aggregateV1.PredictManyRequest.fromPartial(request)));

  it("answers in the order of the request, failures among the predictions", async () => {
    const { reference } = model;
    const missing = { ...bags[1]!, object: { ...bags[1]!.object!, uri: `${bags[1]!.object!.uri}x` } };
    const answers = await predictMany({ model: reference, bags: [bags[0]!, missing, bags[2]!] });
    expect(answers.map(({ index, result }) => [index, result?.$case])).toEqual([
      [0, "prediction"],
      [1, "failure"],
      [2, "prediction"],
    ]);
    expect(answers[1]?.result?.value).toMatchObject({ code: "NOT_FOUND" });
    const alone = await stage.calls.predict({ model: reference, bag: bags[2]! });
    expect(answers[2]?.result?.value).toMatchObject({ probabilities: alone.prediction?.probabilities });
  });

  it("refuses requests that are wrong as a whole", async () => {
    const { reference } = model;
    await expect(predictMany({ model: reference })).rejects.toMatchObject({ details: { field: "bags" } });
    await expect(
      predictMany({ model: reference, bags: Array.from({ length: 1025 }, () => bags[0]!) }),
    ).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
    });
    await expect(predictMany({ bags: [bags[0]!] })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    const outside = { ...bags[0]!, object: { ...bags[0]!.object!, uri: "file:///etc/passwd" } };
    await expect(predictMany({ model: reference, bags: [outside] })).rejects.toMatchObject({ code: "FORBIDDEN" });
  });

  it("measures predictions that were made before, and says what is wrong with one", async () => {
    const { measure } = stage.calls;
    const { task } = model;
    const caseOf = (label: string, probability: number) => ({
      truth: { labels: [label], patientKey: `${label} ${probability}` },
      prediction: {
        probabilities: [
          { label: "normal", probability: 1 - probability },
          { label: "tumour", probability, threshold: 0.5 },
        ],
      },
    });
    const request = aggregateV1.MeasureRequest.fromPartial({
      task: task!,
      cases: [caseOf("normal", 0.1), caseOf("normal", 0.6), caseOf("tumour", 0.4), caseOf("tumour", 0.9)],
    });
    const { evaluation } = await measure(request);
    const figure = (name: string) => evaluation?.metrics.find((metric) => metric.name === name)?.value;
    expect([figure("auroc"), figure("accuracy")]).toEqual([0.75, 0.5]);
    expect(evaluation).toMatchObject({ slideCount: 4, patientCount: 4, confusion: [1, 1, 1, 1] });
    await expect(measure({ cases: request.cases })).rejects.toMatchObject({ details: { field: "task" } });
    await expect(measure({ task, cases: [] })).rejects.toMatchObject({ details: { field: "cases" } });
    const wrong = aggregateV1.MeasureRequest.fromPartial({ task: task!, cases: [caseOf("neither", 0.5)] });
    await expect(measure(wrong)).rejects.toMatchObject({ details: { field: "cases[0].truth.labels" } });
    await expect(measure({ task, cases: [{ truth: undefined, prediction: undefined }] })).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
    });
  });
});

describe("a stage that allows short deadlines only", () => {
  it("takes what workflows ask for, which wait for up to an hour", async () => {
    const folder = await mkdtemp(join(tmpdir(), "parfocal-contract-"));
    const services = await startServices({
      PARFOCAL_STORE: pathToFileURL(folder).href,
      PARFOCAL_MAX_DEADLINE_MS: "60000",
    });
    const stage = createStageClient(aggregateV1.AggregateServiceDefinition, services.aggregateAddress);
    try {
      const measured = stage.calls.measure({}, { timeoutMs: 3_600_000 });
      await expect(measured).rejects.toMatchObject({ details: { field: "cases" } });
      const predicted = stage.calls.predict({}, { timeoutMs: 3_600_000 });
      await expect(predicted).rejects.toMatchObject({ details: { field: "grpc-timeout", bound: "60000" } });
    } finally {
      stage.close();
      await services.close();
    }
  });
});
