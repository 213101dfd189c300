import { Client, credentials, type ServiceError } from "@grpc/grpc-js";
import { decodeRpcStatus, findDetail, inferenceV2, STATUS_DETAILS_KEY } from "@parfocal/protocol";
import { expect, it, onTestFinished } from "vitest";
import { startEchoServer } from "../testing/echo-server.ts";

const PATH = "/inference.GRPCInferenceService/ModelReady";
const BOUND = 4 * 1024 * 1024;

/** gRPC's numbers of its compressions. */
const COMPRESSIONS = { none: 0, deflate: 1, gzip: 2 } as const;

/** How a message of 5 MiB is refused that a stock client sends with this compression. */
async function refusalOf(compression: keyof typeof COMPRESSIONS): Promise<ServiceError> {
  const server = await startEchoServer();
  const client = new Client(server.address, credentials.createInsecure(), {
    "grpc.default_compression_algorithm": COMPRESSIONS[compression],
  });
  onTestFinished(async () => {
    client.close();
    await server.stop({ drainMs: 0 });
  });
  const request = { name: "m".repeat(5 * 1024 * 1024), version: "" };
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(
      PATH,
      (message: typeof request) => Buffer.from(inferenceV2.ModelReadyRequest.encode(message).finish()),
      inferenceV2.ModelReadyResponse.decode,
      request,
      (error) => (error === null ? reject(new Error("it was taken")) : resolve(error)),
    );
  });
}

it.each([
  ["none", String(5 * 1024 * 1024 + 5)],
  ["deflate", `more than ${BOUND}`],
  ["gzip", `more than ${BOUND}`],
] as const)(
  "a message that is too large, compressed by %s, is told the bound and the way out",
  async (compression, value) => {
    const { details, metadata } = await refusalOf(compression);
    expect(details).toContain(`a message of ${value} bytes; the bound is ${BOUND} (PARFOCAL_MAX_RECEIVE_BYTES)`);
    const [status] = metadata.get(STATUS_DETAILS_KEY);
    expect(findDetail(decodeRpcStatus(status as Buffer)!, "ErrorInfo")?.metadata).toEqual({
      value,
      bound: String(BOUND),
    });
  },
);
