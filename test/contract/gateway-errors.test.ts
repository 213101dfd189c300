import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { commonV1, type gatewayV1 } from "@parfocal/protocol";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { batchResponse, uploadManifest } from "../lib/batches.ts";
import { PLANTED_DIM, plantCohort } from "../lib/cohort.ts";
import { encodeNpy } from "../lib/npy.ts";
import { PARENT, piecesOf, trainedModel, trainRequest, upload, uploadCohort } from "../lib/requests.ts";
import { type Services, startServices } from "../lib/services.ts";

const ABSENT = "0".repeat(64);

/** The pieces of a checkpoint that is none. */
async function* checkpointOf(parent: string): AsyncIterable<gatewayV1.UploadCheckpointRequest> {
  yield await Promise.resolve({ piece: { $case: "header", value: { parent, sizeBytes: 1n } } } as const);
  yield { piece: { $case: "chunk", value: Buffer.alloc(1) } };
}

describe("what the gateway says to wrong requests", () => {
  const slides = plantCohort(16);
  let services: Services;
  let names: string[];
  let model: gatewayV1.Model;

  beforeAll(async () => {
    const folder = await mkdtemp(join(tmpdir(), "parfocal-contract-"));
    services = await startServices({ PARFOCAL_STORE: pathToFileURL(folder).href });
    names = await uploadCohort(services.clients, slides);
    const request = trainRequest(slides, names, { epochs: 1 });
    model = await trainedModel(services.clients, await services.clients.training.train(request));
  });
  afterAll(async () => {
    await services?.close();
  });

  it("refuses names that are none, whatever they try", async () => {
    const { bags, models, operations } = services.clients;
    const wrong = [
      "",
      "projects/test",
      "projects/../bags/x",
      `projects/test/bags/${"x".repeat(10_000)}`,
      `projects/a b/bags/${ABSENT}`,
    ];
    for (const name of wrong) {
      await expect(bags.getBag({ name })).rejects.toMatchObject({
        code: "INVALID_ARGUMENT",
        details: { field: "name" },
      });
      await expect(operations.getOperation({ name })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    }
    await expect(models.getModel({ name: "projects/test/models/.." })).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
    });
  });

  it("says NOT_FOUND for what is not there", async () => {
    const { bags, models, prediction } = services.clients;
    await expect(bags.getBag({ name: `${PARENT}/bags/${ABSENT}` })).rejects.toMatchObject({ code: "NOT_FOUND" });
    await expect(models.getModel({ name: `${PARENT}/models/none` })).rejects.toMatchObject({ code: "NOT_FOUND" });
    await expect(prediction.predict({ model: model.name, bag: `${PARENT}/bags/${ABSENT}` })).rejects.toMatchObject({
      code: "NOT_FOUND",
    });
  });

  it("refuses a bag of another width than the model's, naming both", async () => {
    const narrow = encodeNpy([3, PLANTED_DIM - 1], new Float32Array(3 * (PLANTED_DIM - 1)).fill(0.5));
    const { bag } = await upload(services.clients, "narrow.npy", narrow);
    const refused = services.clients.prediction.predict({ model: model.name, bag: bag.name });
    await expect(refused).rejects.toMatchObject({ code: "GEOMETRY_MISMATCH" });
    await expect(refused).rejects.toThrow(/15.*16|16.*15/);
  });

  it("refuses a bag of another project", async () => {
    const bag = names[0]!.replace("projects/test", "projects/other");
    await expect(services.clients.prediction.predict({ model: model.name, bag })).rejects.toMatchObject({
      code: "FORBIDDEN",
    });
  });

  it("refuses trainings that could not work, before they start", async () => {
    const { training } = services.clients;
    const good = trainRequest(slides, names);
    const refuse = (change: Partial<gatewayV1.TrainRequest>) => training.train({ ...good, ...change });
    await expect(refuse({ spec: undefined })).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      details: { field: "spec" },
    });
    await expect(refuse({ bags: good.bags.slice(0, 1) })).rejects.toThrow("bags has 1 entries; it is 2 to 100000");
    await expect(refuse({ modelId: "../up" })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    await expect(refuse({ requestId: "not a uuid" })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    const task = { ...good.spec!.task!, kind: 77 as commonV1.Task_Kind };
    await expect(refuse({ spec: { ...good.spec!, task } })).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: "spec.task.kind is 77; Task_Kind has no such value",
      details: { field: "spec.task.kind" },
    });
    const missing = [...good.bags.slice(1), { ...good.bags[0]!, bag: `${PARENT}/bags/${ABSENT}` }];
    await expect(refuse({ bags: missing })).rejects.toMatchObject({ code: "NOT_FOUND" });
  });

  it("ends a training whose labels or recipe are wrong with a named error", async () => {
    const { training, operations } = services.clients;
    const good = trainRequest(slides, names);
    const failureOf = async (request: gatewayV1.TrainRequest) => {
      const { name } = await training.train(request);
      const done = await operations.waitOperation({ name }, { timeoutMs: 60_000 });
      if (done.result?.$case !== "error") throw new Error("the training should have failed");
      return done.result.value;
    };
    const unknownLabel = await failureOf({ ...good, bags: good.bags.map((bag) => ({ ...bag, labels: ["nonsense"] })) });
    expect(unknownLabel).toMatchObject({ code: 3, message: expect.stringContaining("bags[0].labels") as string });
    expect(unknownLabel.message).not.toContain("nonsense");
    const recipe = commonV1.Recipe.fromPartial({ epochs: 0 });
    expect(await failureOf({ ...good, spec: { ...good.spec!, recipe } })).toMatchObject({
      code: 3,
      message: expect.stringMatching(/epochs.*0.*1.*10000/) as string,
    });
  });

  it("reports a poisoned file as an outcome of its upload and stays up", async () => {
    const values = new Float32Array(2 * PLANTED_DIM).fill(1);
    values[PLANTED_DIM + 3] = Number.NaN;
    const { bags } = await services.clients.bags.uploadBag(piecesOf("poison.npy", encodeNpy([2, PLANTED_DIM], values)));
    expect(bags).toHaveLength(1);
    expect(bags[0]?.result).toMatchObject({ $case: "error", value: { code: "NON_FINITE" } });
    const garbage = await services.clients.bags.uploadBag(piecesOf("garbage.h5", new Uint8Array(1000).fill(7)));
    expect(garbage.bags[0]?.result?.$case).toBe("error");
  });

  it("refuses uploads that break their announcement", async () => {
    const { bags } = services.clients;
    const header = { parent: PARENT, fileName: "a.npy", sizeBytes: 10n, hints: undefined };
    const pieces = async function* (...list: gatewayV1.UploadBagRequest["piece"][]) {
      for (const piece of list) yield { piece };
    };
    const chunk = (n: number) => ({ $case: "chunk" as const, value: Buffer.alloc(n) });
    const head = (change: object = {}) => ({ $case: "header" as const, value: { ...header, ...change } });
    await expect(bags.uploadBag(pieces(chunk(3)))).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    await expect(bags.uploadBag(pieces(head(), chunk(3)))).rejects.toMatchObject({ code: "TRUNCATED" });
    await expect(bags.uploadBag(pieces(head(), chunk(11)))).rejects.toThrow("more than the 10 bytes");
    await expect(bags.uploadBag(pieces(head({ fileName: "../etc/passwd" })))).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
    });
    await expect(bags.uploadBag(pieces(head({ sizeBytes: 1n << 60n })))).rejects.toThrow("an upload is 1 to");
  });

  it("refuses checkpoints that break their announcement, and imports of none, of two and of another project's", async () => {
    const { models } = services.clients;
    const pieces = async function* (...list: gatewayV1.UploadCheckpointRequest["piece"][]) {
      for (const piece of list) yield { piece };
    };
    const chunk = (n: number) => ({ $case: "chunk" as const, value: Buffer.alloc(n) });
    const head = (sizeBytes: bigint, parent = PARENT) => ({ $case: "header" as const, value: { parent, sizeBytes } });
    const refusals: readonly (readonly [ReturnType<typeof pieces>, string])[] = [
      [pieces(chunk(3)), "INVALID_ARGUMENT"],
      [pieces(head(0n)), "INVALID_ARGUMENT"],
      [pieces(head(2n ** 30n + 1n)), "INVALID_ARGUMENT"],
      [pieces(head(10n), head(10n)), "INVALID_ARGUMENT"],
      [pieces(head(10n), chunk(11)), "INVALID_ARGUMENT"],
      [pieces(head(10n), chunk(3)), "TRUNCATED"],
      [pieces(head(3n, "projects/../x"), chunk(3)), "INVALID_ARGUMENT"],
    ];
    for (const [upload, code] of refusals) {
      await expect(models.uploadCheckpoint(upload)).rejects.toMatchObject({ code });
    }
    const { upload } = await models.uploadCheckpoint(pieces(head(3n), chunk(1), chunk(2)));
    const request = { parent: PARENT, modelId: "m" };
    const refuse = (change: object) => expect(models.importModel({ ...request, ...change })).rejects;
    await refuse({}).toMatchObject({ code: "INVALID_ARGUMENT" });
    await refuse({ upload, uri: "file:///x" }).toMatchObject({ code: "INVALID_ARGUMENT" });
    await refuse({ upload: "../etc/passwd" }).toMatchObject({ code: "INVALID_ARGUMENT" });
    await refuse({ upload, parent: "projects/other" }).toMatchObject({ code: "FORBIDDEN" });
    await refuse({ upload: `${PARENT}/uploads/none` }).toMatchObject({ code: "NOT_FOUND" });
    const operation = await models.importModel({ ...request, upload });
    // Three zeros are no zip file.
    await expect(trainedModel(services.clients, operation)).rejects.toThrow();
  });

  it("bounds the name of an uploaded file in bytes, and never repeats it", async () => {
    const npy = encodeNpy([3, PLANTED_DIM], new Float32Array(3 * PLANTED_DIM).fill(0.125));
    const longest = `${"é".repeat(125)}x`;
    const { bag } = await upload(services.clients, `${longest}.npy`, npy);
    expect(bag.info?.slideId).toBe(longest);
    for (const fileName of [`${longest}y.npy`, "", "..", "PATIENT\n.npy", "PATIENT/a.npy"]) {
      const nBytes = Buffer.byteLength(fileName);
      await expect(upload(services.clients, fileName, npy), JSON.stringify(fileName)).rejects.toMatchObject({
        code: "INVALID_ARGUMENT",
        message: `file_name of ${nBytes} bytes is not a plain name of 1 to 255 bytes`,
        details: expect.objectContaining({
          field: "header.file_name",
          value: `${nBytes}`,
          bound: "1 to 255",
        }) as object,
      });
    }
  });

  it("bounds the texts that a client says of a bag, and never repeats them", async () => {
    const bytes = Buffer.from(encodeNpy([3, PLANTED_DIM], new Float32Array(3 * PLANTED_DIM).fill(0.375)));
    const none = { slideId: "", patientId: "", encoder: "" };
    const outcomeOf = async (hints: Partial<typeof none>) => {
      const value = { parent: PARENT, fileName: "hinted.npy", sizeBytes: BigInt(bytes.length) };
      const header = { $case: "header" as const, value: { ...value, hints: { ...none, ...hints } } };
      const chunk = { $case: "chunk" as const, value: bytes };
      const pieces = async function* () {
        for (const piece of [header, chunk]) yield { piece };
      };
      const { bags } = await services.clients.bags.uploadBag(pieces());
      return bags[0]?.result;
    };
    const refused = (message: string) => ({ $case: "error", value: { code: "INVALID_ARGUMENT", message } });
    expect(await outcomeOf({ patientId: "P".repeat(3_000_000) })).toEqual(
      refused("bag metadata patient_id has 3000000 bytes, the bound is 512"),
    );
    expect(await outcomeOf({ encoder: "ü".repeat(257) })).toEqual(
      refused("bag metadata encoder has 514 bytes, the bound is 512"),
    );
    expect(await outcomeOf({ slideId: "a\nb\0" })).toEqual(
      refused("bag metadata slide_id of 4 bytes holds a control character; it is text of up to 512 bytes"),
    );
    const taken = await outcomeOf({ patientId: "P".repeat(512) });
    expect(taken?.$case).toBe("bag");
  });

  it("takes the same projects for operations as for bags, and the same page sizes", async () => {
    const { bags, models, operations } = services.clients;
    const parent = "projects/site-1.study_2";
    expect((await bags.listBags({ parent })).bags).toEqual([]);
    expect((await models.listModels({ parent })).models).toEqual([]);
    expect((await operations.listOperations({ name: parent })).operations).toEqual([]);
    const listed = await operations.listOperations({ name: PARENT, pageSize: 2_000 });
    expect(listed.operations.length).toBeGreaterThan(0);
    await expect(operations.listOperations({ name: PARENT, pageSize: -1 })).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
    });
    const { upload: checkpoint } = await models.uploadCheckpoint(checkpointOf(parent));
    const { name } = await models.importModel({ parent, modelId: "m", upload: checkpoint });
    await operations.waitOperation({ name }, { timeoutMs: 30_000 });
    expect((await operations.listOperations({ name: parent })).operations.map((each) => each.name)).toEqual([name]);
    await operations.deleteOperation({ name });
  });

  it("answers a batch and a training asked for again by their operations, though what they named is gone", async () => {
    const { bags, prediction, training } = services.clients;
    const requestId = "11111111-1111-4111-8111-111111111111";
    const { bag } = await upload(
      services.clients,
      "passing.npy",
      encodeNpy([3, PLANTED_DIM], new Float32Array(3 * PLANTED_DIM).fill(0.0625)),
    );
    const manifestUpload = await uploadManifest(services.clients, `bag\n${bag.name}\n`);
    const batch = { parent: PARENT, manifestUpload, models: [model.name], requestId };
    const { name: batchName } = await prediction.batchPredict(batch);
    await batchResponse(services.clients, { name: batchName, done: false, metadata: undefined, result: undefined });
    const train = trainRequest(slides, names, { epochs: 1, requestId: requestId.replaceAll("1", "2") });
    train.bags.push({ ...train.bags[0]!, bag: bag.name });
    const { name: trainName } = await training.train(train);
    await services.clients.operations.waitOperation({ name: trainName }, { timeoutMs: 60_000 });
    await bags.deleteBag({ name: bag.name });
    expect((await prediction.batchPredict(batch)).name).toBe(batchName);
    expect((await training.train(train)).name).toBe(trainName);
    await expect(prediction.batchPredict({ ...batch, models: [`${PARENT}/models/tumour`] })).rejects.toMatchObject({
      code: "CONFLICT",
    });
    await expect(prediction.batchPredict({ ...batch, requestId: "" })).rejects.toMatchObject({ code: "NOT_FOUND" });
  });

  it("imports from no place that was not allowed", async () => {
    const uris = ["file:///etc/passwd", "s3://somebody/else.h5"];
    for (const uri of uris) {
      const refused = services.clients.bags.importBags({ parent: PARENT, uris: [uri] });
      await expect(refused).rejects.toMatchObject({ code: "FORBIDDEN" });
      await expect(refused).rejects.not.toThrow("passwd");
    }
  });
});
