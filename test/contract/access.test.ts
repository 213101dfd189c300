import { readFile, writeFile } from "node:fs/promises";
import type { DomainError } from "@parfocal/errors";
import {
  aggregateV1,
  gatewayV1,
  googleLongrunning,
  grpcHealthV1,
  grpcReflectionV1,
  inferenceV2,
} from "@parfocal/protocol";
import { createStageClient, type StageCallOptions } from "@parfocal/runtime";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { plantCohort } from "../lib/cohort.ts";
import { framed, openSession, rawCall } from "../lib/raw-grpc.ts";
import { PARENT, trainedModel, trainRequest, uploadCohort } from "../lib/requests.ts";
import { runCli } from "../lib/run-cli.ts";
import { type SecuredServices, startSecuredServices } from "../lib/secured-services.ts";
import type { Clients } from "../lib/services.ts";

/** Names of the project `test` under every field that a request of the gateway may have. */
const EVERYTHING = {
  ...{ parent: PARENT, name: `${PARENT}/operations/${"0".repeat(32)}`, model: `${PARENT}/models/m` },
  ...{ bag: `${PARENT}/bags/${"0".repeat(64)}`, header: { parent: PARENT }, models: [`${PARENT}/models/m`] },
  ...{ names: [`${PARENT}/models/m`], modelName: `${PARENT}/models/m` },
};

/** For a machine that others use. */
const PATIENCE = { timeout: 30_000 };

/** What concerns no project. */
const FREE = ["ListPresets", "ServerLive", "ServerReady", "ServerMetadata"];

async function* streamOf<T>(...messages: T[]): AsyncIterable<T> {
  yield* messages;
}

interface Method {
  readonly name: string;
  readonly requestType: { fromJSON(json: object): object };
  readonly requestStream: boolean;
  readonly responseStream: boolean;
}
type AnyCall = (request: unknown, options?: StageCallOptions) => Promise<unknown> | AsyncIterable<unknown>;

/** Every method of the gateway's own contract. */
const METHODS = [
  gatewayV1.PredictionServiceDefinition,
  gatewayV1.TrainingServiceDefinition,
  gatewayV1.ModelServiceDefinition,
  gatewayV1.BagServiceDefinition,
  gatewayV1.OperationServiceDefinition,
  googleLongrunning.OperationsDefinition,
  inferenceV2.GRPCInferenceServiceDefinition,
].flatMap((definition) =>
  Object.entries(definition.methods as unknown as Record<string, Method>).map(([key, method]) => ({
    definition,
    key,
    method,
  })),
);

describe("a gateway that asks who calls", () => {
  const slides = plantCohort(16);
  let services: SecuredServices;
  let names: string[];
  let model: gatewayV1.Model;
  let operation: string;
  let trainer: Clients;

  beforeAll(async () => {
    services = await startSecuredServices({ PARFOCAL_OPEN_PROBES: "true" });
    trainer = await services.as("trainer-test");
    names = await uploadCohort(trainer, slides);
    const started = await trainer.training.train(trainRequest(slides, names, { epochs: 1 }));
    operation = started.name;
    model = await trainedModel(trainer, started);
  });
  afterAll(async () => {
    await services?.close();
  });

  /** Calls a method by its key with whatever token. */
  const callOf = async ({ definition, key, method }: (typeof METHODS)[number], sub: string) => {
    const token = await services.sign(sub);
    const client = createStageClient(definition, services.gatewayAddress, {
      bearerToken: () => token,
      channel: { credentials: services.tls() },
    });
    const request = method.requestType.fromJSON(EVERYTHING);
    try {
      const calls = client.calls as unknown as Record<string, AnyCall>;
      const answer = calls[key]!(method.requestStream ? streamOf(request) : request);
      if (method.responseStream) await Array.fromAsync(answer as AsyncIterable<unknown>);
      else await answer;
      return "OK";
    } catch (error) {
      return (error as { code: string }).code;
    } finally {
      client.close();
    }
  };

  it("serves those whom the policy names, through a stage that knows the gateway by its certificate", async () => {
    const { prediction } = await trainer.prediction.predict({ model: model.name, bag: names[0]! });
    expect(prediction?.probabilities).toHaveLength(2);
    const admin = await services.as("admin");
    expect((await admin.models.listModels({ parent: PARENT })).models).toHaveLength(1);
  });

  it.each(
    METHODS.filter(({ method }) => !FREE.includes(method.name)).map((entry) => [entry.method.name, entry] as const),
  )("keeps %s of one project from an administrator of another", async (_, entry) => {
    expect(await callOf(entry, "everything-other")).toBe("FORBIDDEN");
  });

  it("serves what concerns no project to everybody whom it knows", async () => {
    for (const entry of METHODS.filter(({ method }) => FREE.includes(method.name))) {
      expect(await callOf(entry, "trainer-other")).toBe("OK");
    }
  });

  it("says the same of what exists in another project and of what does not", async () => {
    const other = await services.as("trainer-other");
    const refusals = [
      other.models.getModel({ name: model.name }),
      other.models.getModel({ name: `${PARENT}/models/none` }),
      other.operations.getOperation({ name: operation }),
      other.operations.getOperation({ name: `${PARENT}/operations/${"0".repeat(32)}` }),
    ];
    const errors = await Promise.all(refusals.map((refusal) => refusal.catch((error: Error) => error.message)));
    expect(new Set(errors)).toEqual(new Set(["the caller may not use a project that the request names"]));
  });

  it("keeps the bag of one project from the model of another, in every shape of request", async () => {
    const other = await services.as("trainer-other");
    const mixed = [
      other.prediction.predict({ model: "projects/other/models/m", bag: names[0]! }),
      Array.fromAsync(other.prediction.reembed({ model: "projects/other/models/m", bag: names[0]! })),
      other.training.train({ ...trainRequest(slides, names), parent: "projects/other" }),
      other.operations.listOperations({ name: PARENT }),
      other.operations.listOperations({ name: `${PARENT}/operations` }),
    ];
    for (const call of mixed) await expect(call).rejects.toMatchObject({ code: "FORBIDDEN" });
    const token = await services.sign("trainer-other");
    const infer = createStageClient(inferenceV2.GRPCInferenceServiceDefinition, services.gatewayAddress, {
      bearerToken: () => token,
      channel: { credentials: services.tls() },
    });
    // A bare id is a model of the default project, and the bag hides in the bytes of a tensor.
    await expect(infer.calls.modelInfer({ modelName: "m" })).rejects.toMatchObject({ code: "FORBIDDEN" });
    const text = Buffer.from(names[0]!);
    const input = { name: "bag", datatype: "BYTES", shape: [1n], contents: { bytesContents: [text] } };
    const hidden = infer.calls.modelInfer({ modelName: "projects/other/models/m", inputs: [input] });
    await expect(hidden).rejects.toThrow("may not use a project that the request names");
    infer.close();
  });

  it("pages through one project alone, and refuses the page token of another", async () => {
    const { nextPageToken } = await trainer.bags.listBags({ parent: PARENT, pageSize: 1 });
    const other = await services.as("trainer-other");
    const page = other.bags.listBags({ parent: "projects/other", pageToken: nextPageToken });
    await expect(page).rejects.toMatchObject({ code: "INVALID_ARGUMENT", details: { field: "page_token" } });
  });

  it("grants a role what it holds and no more", async () => {
    const viewer = await services.as("viewer-test");
    expect((await viewer.bags.listBags({ parent: PARENT })).bags).toHaveLength(16);
    await expect(viewer.prediction.predict({ model: model.name, bag: names[0]! })).rejects.toThrow(
      "no role of the caller",
    );
    const asked = { model: model.name, bag: names[0]! };
    await expect(Array.fromAsync(viewer.prediction.reembed(asked))).rejects.toThrow("no role of the caller");
    // Who may predict may: this model has nothing to re-embed by.
    await expect(Array.fromAsync(trainer.prediction.reembed(asked))).rejects.toMatchObject({
      code: "PRECONDITION_FAILED",
    });
    await expect(trainer.models.deleteModel({ name: model.name })).rejects.toMatchObject({ code: "FORBIDDEN" });
    await expect(trainer.bags.deleteBag({ name: names[0]! })).rejects.toMatchObject({ code: "FORBIDDEN" });
  });

  it("knows nobody without a token, and no token but a good one", async () => {
    const tokens = [
      undefined,
      "",
      "garbage",
      await services.forge("admin"),
      await services.sign("admin", { exp: 1 }),
      await services.sign("admin", { aud: "somebody-else" }),
      await services.sign("admin", { iss: "https://evil.example" }),
    ];
    for (const token of tokens) {
      const clients = services.withToken(token);
      await expect(clients.models.listModels({ parent: PARENT })).rejects.toMatchObject({ code: "UNAUTHENTICATED" });
      await expect(Array.fromAsync(clients.watching.watchOperation({ name: operation }))).rejects.toMatchObject({
        code: "UNAUTHENTICATED",
      });
    }
    await expect((await services.as("mallory")).models.listModels({ parent: PARENT })).rejects.toMatchObject({
      code: "FORBIDDEN",
    });
  });

  it("tells probes how it goes when it may, and nothing else", async () => {
    const options = { channel: { credentials: services.tls() } };
    const health = createStageClient(grpcHealthV1.HealthDefinition, services.gatewayAddress, options);
    expect(await health.calls.check({})).toHaveProperty("status");
    const reflection = createStageClient(grpcReflectionV1.ServerReflectionDefinition, services.gatewayAddress, options);
    const asked = Array.fromAsync(reflection.calls.serverReflectionInfo(streamOf()));
    await expect(asked).rejects.toMatchObject({ code: "UNAUTHENTICATED" });
    health.close();
    reflection.close();
  });

  it("has stages that serve the gateway alone, in its store alone", async () => {
    const stageOf = (identity?: string) =>
      createStageClient(aggregateV1.AggregateServiceDefinition, services.aggregateAddress, {
        channel: { credentials: services.tls(identity) },
        retry: { maxAttempts: 1 },
      });
    const stranger = stageOf();
    await expect(stranger.calls.predict({})).rejects.toMatchObject({ code: "UNREACHABLE" });
    const gateway = stageOf("gateway");
    const object = (uri: string) => ({ uri, sha256: "0".repeat(64), sizeBytes: 1n });
    const root = services.storeUri;
    for (const uri of [
      "file:///etc/passwd",
      `${root}/../x`,
      `${root}/projects/../../x`,
      "s3://other/x",
      `${root}x/y`,
    ]) {
      const bag = { object: object(uri), tileCount: 1, featureDim: 1, dtype: 1 as const, hasCoordinates: false };
      const refused = gateway.calls.predict({ model: { manifest: object(`${root}/m/manifest.json`) }, bag });
      await expect(refused).rejects.toMatchObject({ code: "FORBIDDEN" });
      await expect(refused).rejects.not.toThrow("passwd");
    }
    stranger.close();
    gateway.close();
  });

  it("keeps a caller to its own rate and tells it when to come again, and nobody else", async () => {
    const hasty = await services.as("hasty");
    const codes = await Promise.all(
      Array.from({ length: 50 }, () =>
        hasty.models.listModels({ parent: PARENT }).then(
          () => "OK",
          (error: DomainError) =>
            Number(error.details.retryAfterMs) > 0 ? `${error.code} ${error.details.quota}` : "",
        ),
      ),
    );
    // As fast as they come, three run at a time and five may begin; what a second more lets through depends on the machine.
    expect(codes.filter((code) => code === "OK").length).toBeLessThan(10);
    expect(new Set(codes)).toEqual(
      new Set(
        ["OK", "RESOURCE_EXHAUSTED concurrent calls", "RESOURCE_EXHAUSTED calls per second"].filter((code) =>
          codes.includes(code),
        ),
      ),
    );
    expect(codes).toContain("OK");
    expect((await trainer.models.listModels({ parent: PARENT })).models).toHaveLength(1);
  });

  it("keeps a record of every call, without what it was about", async () => {
    await services
      .withToken(undefined)
      .models.getModel({ name: model.name })
      .catch(() => undefined);
    const lines = await vi.waitFor(async () => {
      const read = await services.auditLines();
      expect(read.at(-1)).toMatchObject({ code: "UNAUTHENTICATED" });
      return read;
    }, PATIENCE);
    expect(lines.at(-1)).not.toHaveProperty("principal");
    expect(lines.find(({ method }) => method.endsWith("/Train"))).toMatchObject({
      ...{ principal: "trainer-test", principalKind: "jwt", project: "test", operation, code: "OK" },
    });
    expect(lines.filter(({ method, project }) => method.endsWith("/Reembed") && project === "test")).toMatchObject(
      expect.arrayContaining([expect.objectContaining({ principal: "trainer-test", code: "FAILED_PRECONDITION" })]),
    );
    expect(lines.filter(({ method, code }) => method.endsWith("/UploadBag") && code === "OK")).toHaveLength(16);
    expect(lines.some(({ code, principal }) => code === "PERMISSION_DENIED" && principal === "trainer-other")).toBe(
      true,
    );
    const refused = lines.filter(({ method, principal }) => method.endsWith("/Predict") && principal === "viewer-test");
    expect(refused).toMatchObject([{ principalKind: "jwt", code: "PERMISSION_DENIED" }]);
    const text = await readFile(services.at("audit.jsonl"), "utf8");
    for (const { fileName, patient } of slides) {
      expect(text).not.toContain(fileName);
      expect(text).not.toContain(`"${patient}"`);
    }
    expect(text).not.toContain(names[0]!.split("/").at(-1)!);
  });

  it("keeps a record of calls that gRPC answers because it cannot read them", async () => {
    const session = await openSession(services.gatewayAddress, {}, await readFile(services.at("ca.pem"), "utf8"));
    const path = "parfocal.gateway.v1.ModelService/ListModels";
    expect((await rawCall(session, { path, body: framed(Buffer.alloc(8, 0xff)) })).code).toBe(13);
    expect((await rawCall(session, { path, body: framed(Buffer.alloc(8), { length: 2 ** 31 }) })).code).toBe(8);
    session.destroy();
    await vi.waitFor(async () => {
      const unread = (await services.auditLines()).filter(({ code }) => code === "UNREAD");
      expect(unread.map(({ method }) => method)).toEqual([path, path]);
    }, PATIENCE);
  });

  it("is reached by the command line with an authority and a token", async () => {
    await writeFile(services.at("token"), `${await services.sign("viewer-test")}\n`);
    const way = [
      "--gateway",
      services.gatewayAddress,
      "--project",
      "test",
      "--tls-ca",
      services.at("ca.pem"),
      "--json",
    ];
    const known = await runCli([...way, "--token-file", services.at("token"), "models", "list"], services.at("."));
    expect([known.code, known.records.length]).toEqual([0, 1]);
    const unknown = await runCli([...way, "models", "list"], services.at("."));
    expect([unknown.code, unknown.records[0]]).toEqual([
      1,
      expect.objectContaining({ error: expect.anything() as unknown }),
    ]);
    expect(unknown.stdout).toContain("UNAUTHENTICATED");
  });
});
