import { gatewayV1, grpcReflectionV1, inferenceV2 } from "@parfocal/protocol";
import { commonSettings } from "../config/common-settings.ts";
import { parseEnv } from "../config/parse-env.ts";
import type { HandlerContext } from "../server/call-scope.ts";
import { defineService } from "../server/define-service.ts";
import type { ServerConfig } from "../server/server-config.ts";
import { type RunningServer, type ServerOptions, startServer } from "../server/start-server.ts";
import { createSilentLogger } from "../telemetry/logger.ts";

/** What a test wants the handlers to do before they answer. Absent: answer at once. */
type Behaviour = (context: HandlerContext) => Promise<void> | void;

/** Options of {@link startEchoServer}. */
export interface EchoOptions extends Partial<Omit<ServerOptions, "services" | "config">> {
  readonly config?: Partial<ServerConfig>;
  readonly behaviour?: Behaviour;
}

/**
 * A real server on a free port with one RPC of each kind, for tests of this package: `ModelReady` (unary, says whether
 * the name is not empty), `WatchOperation` (streams as many states as `afterSequence` says), `UploadBag` (counts
 * bytes), `ServerReflectionInfo` (echoes). The contracts are our own; only what answers is made up.
 */
export async function startEchoServer({
  config,
  behaviour = () => {},
  ...options
}: EchoOptions = {}): Promise<RunningServer> {
  const infer = defineService(inferenceV2.GRPCInferenceServiceDefinition, {
    async modelReady({ name }, context) {
      await behaviour(context);
      return { ready: name !== "" };
    },
  });
  const watch = defineService(gatewayV1.OperationServiceDefinition, {
    async *watchOperation({ name, afterSequence }, context) {
      for (let i = 0n; i < afterSequence; i += 1n) yield { operation: { name: `${name}/${i}` } };
      await behaviour(context);
    },
  });
  const upload = defineService(gatewayV1.BagServiceDefinition, {
    async uploadBag(requests, context) {
      let nBytes = 0;
      for await (const { piece } of requests) nBytes += piece?.$case === "chunk" ? piece.value.length : 0;
      await behaviour(context);
      return { bags: [{ path: String(nBytes) }] };
    },
  });
  const echo = defineService(grpcReflectionV1.ServerReflectionDefinition, {
    async *serverReflectionInfo(requests, context) {
      for await (const { host } of requests) yield { validHost: host };
      await behaviour(context);
    },
  });
  return startServer({
    logger: createSilentLogger(),
    ...options,
    services: [infer, watch, upload, echo],
    // Reflection proper would answer for the echo.
    config: { ...parseEnv(commonSettings(0), {}), reflection: false, ...config },
  });
}
