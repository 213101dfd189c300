import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { commonV1, gatewayV1, type googleLongrunning } from "@parfocal/protocol";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { downloadResult, readResult } from "../lib/batches.ts";
import { plantCohort } from "../lib/cohort.ts";
import { metadataOf, PARENT, trainRequest, uploadCohort } from "../lib/requests.ts";
import { type Clients, type Services, startServices } from "../lib/services.ts";

async function crossValidated(clients: Clients, { name }: googleLongrunning.Operation) {
  const done = await clients.operations.waitOperation({ name }, { timeoutMs: 240_000 });
  if (done.result?.$case !== "response") throw new Error(`not a response: ${JSON.stringify(done.result)}`);
  return gatewayV1.CrossValidateResponse.decode(done.result.value.value);
}

const figureOf = (evaluation: { metrics: { name: string; value?: number | undefined }[] } | undefined, name: string) =>
  evaluation?.metrics.find((metric) => metric.name === name)?.value;

/** Sets are in the table, and what is told of them, by fold and of all together, is true of it. */
async function expectCertainty(
  clients: Clients,
  { name }: googleLongrunning.Operation,
  { folds, pooled }: gatewayV1.CrossValidateResponse,
) {
  const text = Buffer.from(await downloadResult(clients, name, "predictions.jsonl")).toString();
  const lines = text.split("\n").filter((line) => line !== "").map((line) => viewLine(JSON.parse(line) as SetLine)); // biome-ignore format: one line
  expect(lines.every(({ set, coverage }) => set !== undefined && coverage === 0.5)).toBe(true);
  const held = (own: typeof lines) => own.filter(({ truth, set }) => set?.includes(truth)).length / own.length;
  const size = (own: typeof lines) => own.reduce((sum, { set }) => sum + (set?.length ?? 0), 0) / own.length;
  for (const { repeat, fold, test } of folds) {
    const own = lines.filter((line) => line.repeat === repeat && line.fold === fold);
    expect(figureOf(test, "set_coverage")).toBeCloseTo(held(own), 12);
    expect(figureOf(test, "set_size")).toBeCloseTo(size(own), 12);
  }
  for (const [i, evaluation] of pooled.entries()) {
    const own = lines.filter(({ repeat }) => repeat === i + 1);
    expect(figureOf(evaluation, "set_coverage")).toBeCloseTo(held(own), 12);
    expect(figureOf(evaluation, "set_size")).toBeCloseTo(size(own), 12);
  }
}

interface SetLine {
  readonly repeat: number;
  readonly fold: number;
  readonly truth: string;
  readonly prediction_set?: string | null;
  readonly coverage?: number | null;
}

function viewLine({ prediction_set: set, ...line }: SetLine) {
  return { ...line, set: set?.split(";").filter((name) => name !== "") };
}

describe("a cross-validation", () => {
  const slides = plantCohort(24);
  let services: Services;
  let names: string[];

  beforeAll(async () => {
    const folder = await mkdtemp(join(tmpdir(), "parfocal-e2e-"));
    services = await startServices({ PARFOCAL_STORE: pathToFileURL(folder).href });
    names = await uploadCohort(services.clients, slides);
  });
  afterAll(async () => {
    await services?.close();
  });

  const requestOf = (request: Parameters<typeof gatewayV1.CrossValidateRequest.fromPartial>[0]) => {
    const { parent, bags, spec } = trainRequest(slides, names, { epochs: 3 });
    // So low that the few validation patients of a fold make sets that rule something out.
    if (spec !== undefined) spec.calibration = commonV1.CalibrationOptions.fromPartial({ coverage: 0.5 });
    return gatewayV1.CrossValidateRequest.fromPartial({ parent, bags, spec, folds: 3, ...request });
  };

  it("tests every bag once per repeat by a model that has not seen its patient, and measures all together", async () => {
    const { clients } = services;
    const operation = await clients.training.crossValidate(requestOf({ repeats: 2 }));
    const response = await crossValidated(clients, operation);
    expect(response.folds.map(({ repeat, fold }) => [repeat, fold])).toEqual([
      ...[1, 2, 3].map((fold) => [1, fold]),
      ...[1, 2, 3].map((fold) => [2, fold]),
    ]);
    for (const { trainCount, validationCount, testCount, test, model } of response.folds) {
      expect(trainCount + validationCount + testCount).toBe(24);
      expect(test?.slideCount).toBe(testCount);
      expect(model).toBe("");
    }
    expect(response.imbalance).toBeUndefined();
    expect(response.pooled).toHaveLength(2);
    const rows = await readResult(clients, operation.name, "predictions.csv");
    expect(rows).toHaveLength(48);
    for (const repeat of ["1", "2"]) {
      const own = rows.filter((row) => row.repeat === repeat);
      expect(own.map(({ bag }) => bag)).toEqual(names);
      const foldsOf = Map.groupBy(own, ({ patient }) => patient);
      for (const of of foldsOf.values()) expect(new Set(of.map(({ fold }) => fold)).size).toBe(1);
      // The pooled figures are those of the very predictions in the table.
      const nRight = own.filter(({ truth, decision }) => truth === decision).length;
      const pooled = response.pooled[Number(repeat) - 1];
      expect(figureOf(pooled, "accuracy")).toBeCloseTo(nRight / 24, 12);
      expect(figureOf(pooled, "auroc")).toBeGreaterThanOrEqual(0);
      expect(pooled).toMatchObject({ slideCount: 24, patientCount: 12 });
    }
    await expectCertainty(clients, operation, response);
    expect(rows.map(({ fold }) => fold).slice(0, 24)).not.toEqual(rows.map(({ fold }) => fold).slice(24));
    const json = Buffer.from(await downloadResult(clients, operation.name, "evaluation.json")).toString();
    const report = gatewayV1.CrossValidationReport.fromJSON(JSON.parse(json));
    expect(report.folds.map(({ result }) => result)).toEqual(response.folds);
    for (const { history, head } of report.folds) expect([history.length, head]).toEqual([3, "gated-abmil"]);
    expect(metadataOf(await clients.operations.getOperation({ name: operation.name }))).toMatchObject({
      verb: "cross-validate",
      fraction: 1,
      counters: { done: 6, total: 6 },
    });
    expect((await clients.models.listModels({ parent: PARENT })).models).toEqual([]);
  });

  it("takes folds as they are given, and keeps the models when it is told to", async () => {
    const { clients } = services;
    const fixedFolds = slides.map((_, index) => (Math.floor(index / 4) % 2) + 1);
    const operation = await clients.training.crossValidate(requestOf({ folds: 2, fixedFolds, keepAs: "folds" }));
    const response = await crossValidated(clients, operation);
    const id = operation.name.split("/").at(-1) ?? "";
    expect(response.folds.map(({ model }) => model)).toEqual(
      [1, 2].map((fold) => `${PARENT}/models/folds/versions/${id}-r1-f${fold}`),
    );
    const rows = await readResult(clients, operation.name, "predictions.csv");
    expect(rows.map(({ fold }) => Number(fold))).toEqual(fixedFolds);
    const [first] = rows;
    const model = response.folds[Number(first!.fold) - 1]!.model;
    const { prediction } = await clients.prediction.predict({ model, bag: first!.bag! });
    expect(prediction?.probabilities[1]?.probability).toBe(Number(first!.probability_tumour));
    await clients.operations.deleteOperation({ name: operation.name });
    await expect(downloadResult(clients, operation.name, "evaluation.json")).rejects.toMatchObject({
      code: "NOT_FOUND",
    });
    expect((await clients.models.getModel({ name: model })).model?.head).toBe("gated-abmil");
  });

  it("keeps sites whole, and tells which folds lack a class and how unbalanced they are", async () => {
    const { clients } = services;
    const request = requestOf({ folds: 4 });
    const labels = request.bags.map((bag) => bag.labels[0] ?? "");
    // Two sites for each class.
    request.sites = labels.map((label, index) => `${label} ${Math.floor(index / 2) < 6}`);
    const response = await crossValidated(clients, await clients.training.crossValidate(request));
    expect(response.imbalance).toBeGreaterThan(0.9);
    expect(response.folds.map(({ trainLacks }) => trainLacks)).toEqual([[], [], [], []]);
    expect(response.folds.flatMap(({ testLacks }) => testLacks).sort()).toEqual(
      [...new Set(labels)].sort().flatMap((label) => [label, label]),
    );
    for (const { trainCount, validationCount } of response.folds)
      expect(validationCount).toBeLessThan((trainCount + validationCount) / 3);
  });

  it("says in which fold a training failed", async () => {
    const { clients } = services;
    const request = requestOf({ folds: 2 });
    // The first fold tests all of one class, so that only the other is left to train it.
    const [first] = request.bags[0]?.labels ?? [];
    request.fixedFolds = request.bags.map(({ labels }) => (labels[0] === first ? 1 : 2));
    const { name } = await clients.training.crossValidate(request);
    const done = await clients.operations.waitOperation({ name }, { timeoutMs: 240_000 });
    if (done.result?.$case !== "error") throw new Error("it was not refused");
    expect(done.result.value.message).toMatch(
      /^repeat 1, fold [12]: all \d+ patients of the training part are of the class /,
    );
  });

  it("refuses at once what could not work", async () => {
    const ask = (request: Parameters<typeof requestOf>[0]) =>
      services.clients.training.crossValidate(requestOf(request));
    await expect(ask({ folds: 1 })).rejects.toMatchObject({ code: "INVALID_ARGUMENT", details: { field: "folds" } });
    await expect(ask({ repeats: 21 })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    await expect(ask({ fixedFolds: [1, 2] })).rejects.toMatchObject({ details: { field: "fixed_folds" } });
    await expect(ask({ fixedFolds: slides.map(() => 4) })).rejects.toMatchObject({
      details: { field: "fixed_folds[0]" },
    });
    const withPart = requestOf({});
    withPart.bags[3]!.part = 1;
    await expect(services.clients.training.crossValidate(withPart)).rejects.toMatchObject({
      details: { field: "bags[3].part" },
    });
    const divided = await ask({ fixedFolds: slides.map((_, index) => (index % 3) + 1) });
    await expect(crossValidated(services.clients, divided)).rejects.toThrow("patients are in both");
  });
});
