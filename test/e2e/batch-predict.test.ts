import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { commonV1, gatewayV1 } from "@parfocal/protocol";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { batchResponse, digestsOf, downloadResult, readResult, startBatch } from "../lib/batches.ts";
import { PLANTED_DIM, plantCohort } from "../lib/cohort.ts";
import { encodeNpy } from "../lib/npy.ts";
import { metadataOf, PARENT, trainedModel, trainRequest, upload, uploadCohort } from "../lib/requests.ts";
import { type Services, startServices } from "../lib/services.ts";

const REQUEST_ID = "7d1f2c34-7b1d-4f0e-9a54-0d0f6b1c2d3e";
const ABSENT = "0".repeat(64);

describe("a batch", () => {
  const slides = plantCohort(24);
  let services: Services;
  let folder: string;
  let names: string[];
  let plain: gatewayV1.Model;
  let reembedding: gatewayV1.Model;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "parfocal-batch-"));
    const roots = pathToFileURL(folder).href;
    const store = await mkdtemp(join(tmpdir(), "parfocal-e2e-"));
    services = await startServices({
      PARFOCAL_STORE: pathToFileURL(store).href,
      PARFOCAL_IMPORT_ROOTS: roots,
      PARFOCAL_BATCH_SHARD_ROWS: "5",
    });
    const { clients } = services;
    names = await uploadCohort(clients, slides);
    plain = await trainedModel(clients, await clients.training.train(trainRequest(slides, names, { epochs: 4 })));
    const request = trainRequest(slides, names, { modelId: "r2t", epochs: 1 });
    request.spec!.architecture = commonV1.Architecture.fromPartial({
      reembedder: { kind: { $case: "r2t", value: { stemWidth: 32, heads: 4, crmsaHeads: 4, regionNum: 4 } } },
      head: { trunk: { hidden: [] }, kind: { $case: "abmil", value: { attentionWidth: 16 } } },
    });
    reembedding = await trainedModel(clients, await clients.training.train(request));
  }, 120_000);
  afterAll(async () => {
    await services?.close();
  });

  const csvOf = (bags: readonly string[]) =>
    `bag,patient_id\n${bags.map((bag, i) => `${bag},${slides[i]?.patient ?? ""}\n`).join("")}`;

  it("says of every bag what Predict says of it, for several models, and gives patients", async () => {
    const { clients } = services;
    const operation = await startBatch(clients, csvOf(names), {
      models: [`${PARENT}/models/tumour`, reembedding.name],
    });
    const response = await batchResponse(clients, operation);
    expect(response).toMatchObject({ rowCount: 24n, scoredCount: 24n, failedCount: 0n, patientCount: 12n });
    expect(response.models).toEqual([plain.name, reembedding.name]);
    expect(response.tables.map(({ name, rowCount }) => [name, rowCount])).toEqual([
      ["predictions", 48n],
      ["patients", 24n],
      ["failures", 0n],
    ]);
    const rows = await readResult(clients, operation.name, "predictions.csv");
    expect(await readResult(clients, operation.name, "predictions.jsonl")).toEqual(rows);
    for (const row of rows.filter((_, index) => index % 7 === 0)) {
      const { prediction } = await clients.prediction.predict({ model: row.model!, bag: row.bag! });
      expect(Number(row.probability_tumour)).toBe(prediction?.probabilities[1]?.probability);
      expect(row.decision).toBe(prediction?.decision[0]);
    }
    const patients = await readResult(clients, operation.name, "patients.csv");
    const own = rows.filter(({ patient, model }) => patient === "patient-3" && model === plain.name);
    const mean = own.reduce((sum, row) => sum + Number(row.probability_tumour), 0) / own.length;
    const patient = patients.find((row) => row.patient === "patient-3" && row.model === plain.name);
    expect(patient).toMatchObject({ rule: "mean", slides: "2", failed_slides: "0" });
    expect(Number(patient?.probability_tumour)).toBeCloseTo(mean, 12);
    const metadata = metadataOf(await clients.operations.getOperation({ name: operation.name }));
    expect(metadata).toMatchObject({ verb: "batch", fraction: 1 });
    expect(metadata.counters).toMatchObject({ done: 24, total: 24, scored: 24, failed: 0 });
    const parquet = await downloadResult(clients, operation.name, "predictions.parquet");
    expect(Buffer.from(parquet.subarray(0, 4)).toString()).toBe("PAR1");
  });

  it("gives the same bytes whenever it runs, re-embedded here or there", async () => {
    const { clients } = services;
    const request = { models: [reembedding.name] };
    const kept = await batchResponse(clients, await startBatch(clients, csvOf(names), request));
    const again = await batchResponse(clients, await startBatch(clients, csvOf(names), request));
    expect(digestsOf(again)).toEqual(digestsOf(kept));
    const operation = await startBatch(clients, csvOf(names), { ...request, transient: true });
    // One graph or two round alike here, but no contract says so.
    const transient = await batchResponse(clients, operation);
    expect(transient).toMatchObject({ scoredCount: 24n });
    const rows = await readResult(clients, operation.name, "predictions.csv");
    const { prediction } = await clients.prediction.predict({ model: reembedding.name, bag: names[0]! });
    expect(Number(rows[0]?.probability_tumour)).toBeCloseTo(prediction?.probabilities[1]?.probability ?? -1, 5);
  });

  it("lists what it cannot score, scores the rest, and tries that again alone", async () => {
    const { clients } = services;
    const narrow = encodeNpy([3, PLANTED_DIM - 1], new Float32Array(3 * (PLANTED_DIM - 1)).fill(0.5));
    const { bag } = await upload(clients, "narrow.npy", narrow);
    const lines = [
      { slide_id: "slide-0" },
      { bag: names[1]!.split("/").at(-1) },
      { bag: names[1] },
      { bag: bag.name },
      { bag: `${PARENT}/bags/${ABSENT}` },
      { bag: names[2]!.replace("projects/test", "projects/other") },
      { bag: "neither" },
      { slide_id: "late" },
    ];
    const manifest = lines.map((line) => `${JSON.stringify(line)}\n`).join("");
    const operation = await startBatch(clients, manifest, { models: [plain.name], requestId: REQUEST_ID });
    const response = await batchResponse(clients, operation);
    expect(response).toMatchObject({ rowCount: 8n, scoredCount: 2n, failedCount: 6n });
    const failures = await readResult(clients, operation.name, "failures.csv");
    expect(failures.map(({ line, code }) => [line, code])).toEqual([
      ["3", "INVALID_ARGUMENT"],
      ["4", "GEOMETRY_MISMATCH"],
      ["5", "NOT_FOUND"],
      ["6", "FORBIDDEN"],
      ["7", "INVALID_ARGUMENT"],
      ["8", "NOT_FOUND"],
    ]);
    expect(failures[1]).toMatchObject({ bag: bag.name, model: plain.name });
    expect(failures[1]?.message).toMatch(/15.*16/);

    const { bytes } = plantCohort(1, 99n)[0]!;
    await upload(clients, "late.npy", bytes);
    const again = { parent: PARENT, retryOf: operation.name };
    const patientRule = gatewayV1.BatchPredictRequest_PatientRule.PATIENT_RULE_MAX;
    for (const other of [{ patientRule }, { transient: true }])
      await expect(clients.prediction.batchPredict({ ...again, ...other })).rejects.toThrow("goes on as it began");
    const retry = await clients.prediction.batchPredict(again);
    const retried = await batchResponse(clients, retry);
    expect(retried).toMatchObject({ rowCount: 8n, scoredCount: 3n, failedCount: 5n });
    const [before, after] = [
      await readResult(clients, operation.name, "predictions.csv"),
      await readResult(clients, retry.name, "predictions.csv"),
    ];
    expect(after.slice(0, 7)).toEqual(before.slice(0, 7));
    expect(after[7]).toMatchObject({ slide: "late", error: "" });
    const twice = await clients.prediction.batchPredict({ parent: PARENT, retryOf: retry.name });
    expect(digestsOf(await batchResponse(clients, twice))).toEqual(digestsOf(retried));
  });

  it("reads a manifest below an import root, combines by the largest, and is gone when deleted", async () => {
    const { clients } = services;
    const path = join(folder, "manifest.csv");
    await writeFile(path, csvOf(names.slice(0, 4)));
    const operation = await clients.prediction.batchPredict({
      parent: PARENT,
      models: [plain.name],
      manifestUri: pathToFileURL(path).href,
      patientRule: 2,
    });
    await batchResponse(clients, operation);
    const rows = await readResult(clients, operation.name, "predictions.csv");
    const patients = await readResult(clients, operation.name, "patients.csv");
    const largest = Math.max(...rows.slice(0, 2).map((row) => Number(row.probability_tumour)));
    expect(patients[0]).toMatchObject({ rule: "max", probability_tumour: String(largest) });
    await clients.operations.deleteOperation({ name: operation.name });
    await expect(downloadResult(clients, operation.name, "patients.csv")).rejects.toMatchObject({ code: "NOT_FOUND" });
  });

  it("refuses at once what could not work", async () => {
    const { clients } = services;
    const models = [plain.name];
    const ask = (request: Parameters<typeof clients.prediction.batchPredict>[0]) =>
      clients.prediction.batchPredict({ parent: PARENT, ...request });
    await expect(ask({ models })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    await expect(ask({ models: [], manifestUri: "file:///etc/passwd" })).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
    });
    await expect(ask({ models, manifestUri: "file:///etc/passwd" })).rejects.toMatchObject({ code: "FORBIDDEN" });
    await expect(ask({ models: [`${PARENT}/models/none`], manifestUpload: "x" })).rejects.toMatchObject({
      code: "NOT_FOUND",
    });
    await expect(ask({ models: [plain.name, `${PARENT}/models/tumour`], manifestUpload: "x" })).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: "models[1] means the same version as models[0]",
    });
    await expect(ask({ retryOf: `${PARENT}/operations/${"0".repeat(32)}` })).rejects.toMatchObject({
      code: "NOT_FOUND",
    });
    await expect(downloadResult(clients, `${PARENT}/operations/x`, "../state.json")).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
    });
    const failed = await startBatch(clients, "slide,slide\na,b\n", { models });
    await expect(batchResponse(clients, failed)).rejects.toThrow("the heading has 2 columns");
  });
});
