import { createFileRegistry, fromBinary, type Registry } from "@bufbuild/protobuf";
import { type FileDescriptorProto, FileDescriptorProtoSchema, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import {
  aggregateV1,
  gatewayV1,
  googleLongrunning,
  grpcReflectionV1,
  grpcReflectionV1alpha,
  inferenceV2,
} from "@parfocal/protocol";
import { type Channel, createChannel, createClient, Status } from "nice-grpc";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { commonSettings } from "../config/common-settings.ts";
import { parseEnv } from "../config/parse-env.ts";
import { createSilentLogger } from "../telemetry/logger.ts";
import { defineService } from "./define-service.ts";
import { type RunningServer, startServer } from "./start-server.ts";

type Request = grpcReflectionV1.ServerReflectionRequest["messageRequest"];

let server: RunningServer;
let channel: Channel;

beforeAll(async () => {
  const services = [
    defineService(aggregateV1.AggregateServiceDefinition, {}),
    defineService(gatewayV1.BagServiceDefinition, {}),
    defineService(gatewayV1.TrainingServiceDefinition, {}),
    defineService(googleLongrunning.OperationsDefinition, {}),
    defineService(inferenceV2.GRPCInferenceServiceDefinition, {}),
  ];
  server = await startServer({ services, config: parseEnv(commonSettings(0), {}), logger: createSilentLogger() });
  channel = createChannel(server.address);
});

afterAll(async () => {
  channel.close();
  await server.stop();
});

/** What the server answers to one stream of questions. */
async function ask(...questions: Request[]) {
  const client = createClient(grpcReflectionV1.ServerReflectionDefinition, channel);
  async function* requests() {
    for (const messageRequest of questions) yield { host: "", messageRequest };
  }
  const answers = await Array.fromAsync(client.serverReflectionInfo(requests()));
  return answers.map((answer) => answer.messageResponse);
}

function filesIn(answer: grpcReflectionV1.ServerReflectionResponse["messageResponse"]): FileDescriptorProto[] {
  if (answer?.$case !== "fileDescriptorResponse") throw new Error(`no files but ${answer?.$case}`);
  return answer.value.fileDescriptorProto.map((bytes) => fromBinary(FileDescriptorProtoSchema, bytes));
}

/** Links the files as a strict client does: every import there, every type resolved, extensions in their ranges. */
function link(files: FileDescriptorProto[]): Registry {
  const set = fromBinary(FileDescriptorSetSchema, new Uint8Array());
  // An answer begins with the file asked for; the registry wants imports first.
  set.file = files.reverse();
  return createFileRegistry(set);
}

async function serviceNames(): Promise<string[]> {
  const [answer] = await ask({ $case: "listServices", value: "" });
  if (answer?.$case !== "listServicesResponse") throw new Error("no list");
  return answer.value.service.map((service) => service.name);
}

describe("reflection", () => {
  it("lists the services that are served, and no others", async () => {
    expect((await serviceNames()).sort()).toEqual([
      "google.longrunning.Operations",
      "grpc.health.v1.Health",
      "grpc.reflection.v1.ServerReflection",
      "grpc.reflection.v1alpha.ServerReflection",
      "inference.GRPCInferenceService",
      "parfocal.aggregate.v1.AggregateService",
      "parfocal.gateway.v1.BagService",
      "parfocal.gateway.v1.TrainingService",
    ]);
  });

  it("gives files that a strict client can link, for every service", async () => {
    for (const name of await serviceNames()) {
      const [answer] = await ask({ $case: "fileContainingSymbol", value: name });
      const service = link(filesIn(answer)).getService(name);
      expect(service?.methods.length, name).toBeGreaterThan(0);
    }
  });

  it("answers first with the file asked for", async () => {
    const [byName, bySymbol] = await ask(
      { $case: "fileByFilename", value: "google/longrunning/operations.proto" },
      { $case: "fileContainingSymbol", value: "google.longrunning.Operations.GetOperation" },
    );
    expect(filesIn(byName)[0]?.name).toBe("google/longrunning/operations.proto");
    expect(filesIn(bySymbol)[0]?.name).toBe("google/longrunning/operations.proto");
  });

  it("does not send the same imports twice on one stream", async () => {
    const question: Request = { $case: "fileContainingSymbol", value: "google.longrunning.Operation" };
    const [first, second] = await ask(question, question);
    expect(filesIn(first).length).toBeGreaterThan(5);
    expect(filesIn(second).map((file) => file.name)).toEqual(["google/longrunning/operations.proto"]);
  });

  it.each([
    ["a nested message", "inference.ModelInferRequest.InferInputTensor"],
    ["a field", "parfocal.aggregate.v1.PredictRequest.model"],
    ["an enum value", "parfocal.common.v1.DATA_TYPE_F16"],
    ["a method", "parfocal.aggregate.v1.AggregateService.Predict"],
    ["an extension", "google.longrunning.operation_info"],
    ["a map entry", "inference.ModelInferRequest.ParametersEntry"],
  ])("finds %s by its name", async (_, value) => {
    const [answer] = await ask({ $case: "fileContainingSymbol", value });
    expect(answer?.$case).toBe("fileDescriptorResponse");
  });

  it("finds extensions by number, and all numbers of a type", async () => {
    const containingType = "google.protobuf.MethodOptions";
    const [file, numbers] = await ask(
      { $case: "fileContainingExtension", value: { containingType, extensionNumber: 1049 } },
      { $case: "allExtensionNumbersOfType", value: containingType },
    );
    expect(filesIn(file)[0]?.name).toBe("google/longrunning/operations.proto");
    expect(numbers).toMatchObject({
      value: { baseTypeName: containingType, extensionNumber: expect.arrayContaining([1049]) as unknown },
    });
  });

  it.each<NonNullable<Request>>([
    { $case: "fileByFilename", value: "../../etc/passwd" },
    { $case: "fileContainingSymbol", value: "no.such.Thing" },
    { $case: "fileContainingExtension", value: { containingType: "no.Such", extensionNumber: 1 } },
    { $case: "allExtensionNumbersOfType", value: "no.Such" },
  ])("answers an error inside the stream when there is no such thing ($case)", async (question) => {
    const [answer, still] = await ask(question, { $case: "listServices", value: "" });
    expect(answer).toMatchObject({ $case: "errorResponse", value: { errorCode: Status.NOT_FOUND } });
    expect(still?.$case).toBe("listServicesResponse");
  });

  it("answers INVALID_ARGUMENT to an empty question and refuses to repeat long names", async () => {
    const [answer] = await ask(undefined);
    expect(answer).toMatchObject({ $case: "errorResponse", value: { errorCode: Status.INVALID_ARGUMENT } });
    const long = ask({ $case: "fileContainingSymbol", value: "x".repeat(513) });
    await expect(long).rejects.toMatchObject({ code: Status.INVALID_ARGUMENT });
  });

  it("speaks v1alpha too", async () => {
    const client = createClient(grpcReflectionV1alpha.ServerReflectionDefinition, channel);
    async function* requests() {
      yield { messageRequest: { $case: "fileContainingSymbol" as const, value: "grpc.health.v1.Health" } };
    }
    const [answer] = await Array.fromAsync(client.serverReflectionInfo(requests()));
    expect(answer?.messageResponse?.$case).toBe("fileDescriptorResponse");
  });

  it("is absent when switched off", async () => {
    const config = parseEnv(commonSettings(0), { PARFOCAL_REFLECTION: "false" });
    const closed = await startServer({ services: [], config, logger: createSilentLogger() });
    const closedChannel = createChannel(closed.address);
    const client = createClient(grpcReflectionV1.ServerReflectionDefinition, closedChannel);
    async function* requests() {
      yield {};
    }
    const answers = Array.fromAsync(client.serverReflectionInfo(requests()));
    await expect(answers).rejects.toMatchObject({ code: Status.UNIMPLEMENTED });
    closedChannel.close();
    await closed.stop();
  });

  it("does not hold up a shutdown", async () => {
    const busy = await startServer({
      services: [],
      config: parseEnv(commonSettings(0), {}),
      logger: createSilentLogger(),
    });
    const busyChannel = createChannel(busy.address);
    const client = createClient(grpcReflectionV1.ServerReflectionDefinition, busyChannel);
    const open = Promise.withResolvers<void>();
    async function* requests() {
      yield { messageRequest: { $case: "listServices" as const, value: "" } };
      await open.promise;
    }
    const answers = client.serverReflectionInfo(requests())[Symbol.asyncIterator]();
    await answers.next();
    expect(await busy.stop()).toEqual({ outcome: "drained" });
    expect((await answers.next()).done).toBe(true);
    open.resolve();
    busyChannel.close();
  });
});
