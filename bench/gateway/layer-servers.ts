/** @file Servers of one empty call, each with one layer more than the one before: `node layer-servers.ts LAYER` sends its parent the port. */
import { createServer as createHttp2Server } from "node:http2";
import type { AddressInfo } from "node:net";
import { Server, ServerCredentials, type sendUnaryData } from "@grpc/grpc-js";
import { gatewayV1 } from "@parfocal/protocol";
import { commonSettings, createSilentLogger, defineService, parseEnv, startServer } from "@parfocal/runtime";
import { createServer as createNiceServer } from "nice-grpc";

/** The layers, the lowest first. */
export const LAYERS = ["http2", "grpc-js", "nice-grpc", "parfocal"] as const;

const { GetBagRequest, GetBagResponse, BagServiceDefinition } = gatewayV1;

const NAME = `projects/p/bags/${"a".repeat(64)}`;

/** The path of the method. */
export const METHOD = `/${BagServiceDefinition.fullName}/${BagServiceDefinition.methods.getBag.name}`;

/** The encoded request. */
export const REQUEST = GetBagRequest.encode(GetBagRequest.fromPartial({ name: NAME })).finish();

const response = GetBagResponse.fromPartial({ bag: { name: NAME } });

/** The encoded answer. */
export const ANSWER = GetBagResponse.encode(response).finish();

/** Node's HTTP/2 alone, which answers the same bytes whatever it is asked. */
function http2(): Promise<number> {
  const body = Buffer.concat([Buffer.alloc(5), ANSWER]);
  body.writeUInt32BE(ANSWER.length, 1);
  const server = createHttp2Server();
  server.on("stream", (stream) => {
    stream.resume().on("end", () => {
      stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
      stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
      stream.end(body);
    });
  });
  return new Promise((resolve) => server.listen(0, () => resolve((server.address() as AddressInfo).port)));
}

function grpcJs(): Promise<number> {
  const method = {
    ...{ path: METHOD, requestStream: false, responseStream: false },
    requestSerialize: () => Buffer.from(REQUEST),
    requestDeserialize: (bytes: Buffer) => GetBagRequest.decode(bytes),
    responseSerialize: (value: gatewayV1.GetBagResponse) => Buffer.from(GetBagResponse.encode(value).finish()),
    responseDeserialize: (bytes: Buffer) => GetBagResponse.decode(bytes),
  } as const;
  const server = new Server();
  server.addService(
    { getBag: method },
    { getBag: (_: unknown, done: sendUnaryData<gatewayV1.GetBagResponse>) => done(null, response) },
  );
  return new Promise((resolve, reject) =>
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) =>
      error === null ? resolve(port) : reject(error),
    ),
  );
}

const service = defineService(BagServiceDefinition, { getBag: () => Promise.resolve(response) });

function niceGrpc(): Promise<number> {
  const server = createNiceServer();
  // The handler asks for nothing of what the chain finds out.
  server.add(service.definition, service.implementation as never);
  return server.listen("127.0.0.1:0");
}

async function parfocal(): Promise<number> {
  const config = parseEnv(commonSettings(0), {});
  const { port } = await startServer({ services: [service], config, logger: createSilentLogger() });
  return port;
}

const starts = { http2, "grpc-js": grpcJs, "nice-grpc": niceGrpc, parfocal };

if (import.meta.main) process.send?.(await starts[process.argv[2] as (typeof LAYERS)[number]]());
