import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { commonV1, gatewayV1 } from "@parfocal/protocol";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { batchResponse, downloadResult, readResult, startBatch } from "../lib/batches.ts";
import { plantCohort } from "../lib/cohort.ts";
import { PARENT, trainedModel, trainRequest, uploadCohort } from "../lib/requests.ts";
import { type Services, startServices } from "../lib/services.ts";

const slides = plantCohort(24);
let services: Services;
let names: string[];
let folder: string;
/** The models of three folds. */
let models: string[];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "parfocal-ensemble-"));
  services = await startServices({ PARFOCAL_STORE: pathToFileURL(folder).href });
  const { clients } = services;
  names = await uploadCohort(clients, slides);
  const { parent, bags, spec } = trainRequest(slides, names, { epochs: 3 });
  const request = gatewayV1.CrossValidateRequest.fromPartial({ parent, bags, spec, folds: 3, keepAs: "folds" });
  const { name } = await clients.training.crossValidate(request);
  const { result } = await clients.operations.waitOperation({ name }, { timeoutMs: 240_000 });
  if (result?.$case !== "response") throw new Error(`not a response: ${JSON.stringify(result)}`);
  models = gatewayV1.CrossValidateResponse.decode(result.value.value).folds.map(({ model }) => model);
}, 240_000);
afterAll(async () => {
  await services?.close();
  await rm(folder, { recursive: true, force: true });
});

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
const deviation = (values: readonly number[]) =>
  Math.sqrt(values.reduce((sum, value) => sum + (value - mean(values)) ** 2, 0) / (values.length - 1));

type Rows = Awaited<ReturnType<typeof readResult>>;

/** Checks the ensemble's line of every key against those of the models. */
function expectMeans(rows: Rows, key: string, nUnits: number): void {
  const units = [...Map.groupBy(rows, (row) => row[key]).values()];
  expect(units).toHaveLength(nUnits);
  for (const lines of units) {
    expect(lines.map(({ model }) => model)).toEqual([...models, "ensemble"]);
    const together = lines.at(-1);
    for (const name of ["probability_tumour", "probability_normal", "threshold_tumour"]) {
      const own = lines.slice(0, -1).map((line) => Number(line[name]));
      expect(Number(together?.[name])).toBeCloseTo(mean(own), 12);
      if (name.startsWith("probability"))
        expect(Number(together?.[name.replace("probability", "spread")])).toBeCloseTo(deviation(own), 12);
    }
    const isPositive = Number(together?.probability_tumour) >= Number(together?.threshold_tumour);
    expect(together?.decision).toBe(isPositive ? "tumour" : "normal");
  }
}

const csvOf = (bags: readonly string[]) =>
  `bag,patient_id\n${bags.map((bag, i) => `${bag},${slides[i]?.patient ?? ""}\n`).join("")}`;

describe("an ensemble of the models of folds", () => {
  it("has the means of what they say, with their spread, by slide and by patient, in every encoding", async () => {
    const { clients } = services;
    const operation = await startBatch(clients, csvOf(names), { models, ensemble: true });
    const response = await batchResponse(clients, operation);
    expect(response).toMatchObject({ scoredCount: 24n, failedCount: 0n, models });
    expect(response.tables.map(({ name, rowCount }) => [name, rowCount])).toEqual([
      ["predictions", 96n],
      ["patients", 48n],
      ["failures", 0n],
    ]);
    const rows = await readResult(clients, operation.name, "predictions.csv");
    expect(await readResult(clients, operation.name, "predictions.jsonl")).toEqual(rows);
    expectMeans(rows, "row", 24);
    expectMeans(await readResult(clients, operation.name, "patients.csv"), "patient", 12);
    const parquet = Buffer.from(await downloadResult(clients, operation.name, "predictions.parquet"));
    for (const text of ["ensemble", "spread_tumour", "calibrated_spread_tumour"])
      expect(parquet.includes(text)).toBe(true);
  });

  it("is not there of a slide that a model did not score, which is told; and is added to a batch that had none", async () => {
    const { clients } = services;
    const manifest = `${csvOf(names.slice(0, 3))}${"0".repeat(64)},patient-0\n`;
    const plain = await startBatch(clients, manifest, { models });
    await batchResponse(clients, plain);
    const before = await readResult(clients, plain.name, "predictions.csv");
    expect(before.some(({ model }) => model === "ensemble")).toBe(false);
    const retry = { parent: PARENT, retryOf: plain.name, ensemble: true };
    const again = await clients.prediction.batchPredict(gatewayV1.BatchPredictRequest.fromPartial(retry));
    expect(await batchResponse(clients, again)).toMatchObject({ scoredCount: 3n, failedCount: 1n });
    const together = (rows: Rows) => rows.filter(({ model }) => model === "ensemble");
    expect(together(await readResult(clients, again.name, "predictions.csv")).map(({ row }) => row)).toEqual([
      "0",
      "1",
      "2",
    ]);
    expect(together(await readResult(clients, again.name, "failures.csv"))).toMatchObject([
      {
        row: "3",
        code: "PRECONDITION_FAILED",
        message: expect.stringContaining("3 of 3 models did not score") as string,
      },
    ]);
    const [first] = together(await readResult(clients, again.name, "patients.csv"));
    expect(first).toMatchObject({ patient: "patient-0", slides: "3", failed_slides: "1" });
  });

  it("refuses one model, and models of other classes, naming the difference", async () => {
    const { clients } = services;
    const ask = (of: readonly string[]) => startBatch(clients, csvOf(names), { models: [...of], ensemble: true });
    await expect(ask(models.slice(0, 1))).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: expect.stringContaining("2 models or more; there are 1") as string,
    });
    const request = trainRequest(slides, names, { modelId: "three", epochs: 1 });
    const classes = ["normal", "tumour", "other"];
    if (request.spec !== undefined) request.spec.task = commonV1.Task.fromPartial({ kind: 2, classes });
    const other = await trainedModel(clients, await clients.training.train(request));
    await expect(ask([models[0] ?? "", other.name])).rejects.toMatchObject({
      code: "PRECONDITION_FAILED",
      message: expect.stringContaining("models[1] decides multiclass, models[0] binary") as string,
    });
  });
});
